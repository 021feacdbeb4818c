"""Steps: what they run, how they end, and how a failure affects the cluster."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_emr.server import EmrServer
from local_emr.settings import Settings
from tests.support.local_emr_client import (
    ENDED,
    Json,
    a_cluster,
    add_step,
    bash_step,
    describe,
    make_client,
    step_states,
    wait_for_cluster,
    wait_for_step,
)
from tests.support.polling import wait_for

Run = Callable[..., str]


def test_a_step_runs_its_arguments_as_they_are(emr: Any, run: Run, tmp_path: Path) -> None:
    """No shell is involved: spaces, quotes, globs and URIs arrive unchanged."""
    told = tmp_path / "told"
    arguments = ["a b", "*", "$HOME", "'", "s3://bucket/key?x=1#y", "file:///tmp/x", "{{x}"]
    cluster_id = run()
    step_id = add_step(emr, cluster_id, bash_step(f'printf "%s\\n" "$@" > {told}', "bash", *arguments))
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    assert told.read_text() == "".join(f"{argument}\n" for argument in arguments)


def test_command_runner_drops_what_emrs_drops_and_the_controllers_log_says_so(
    emr: Any, run: Run, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    arguments = ["a", "", "{{b}}", "}}", "c }}d", ""]
    cluster_id = run(LogUri=tmp_path.as_uri())
    step = bash_step(f'printf "%s\\n" "$@" > {told}', "bash", *arguments)
    step_id = add_step(emr, cluster_id, step)
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    assert told.read_text().splitlines() == ["a", "{{b", "c d"]
    asked = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Config"]["Args"]
    assert asked == step["HadoopJarStep"]["Args"]
    controller = gzip.decompress(
        (tmp_path / cluster_id / "steps" / step_id / "controller.gz").read_bytes()
    ).decode()
    assert "command-runner.jar drops empty arguments, as EMR's does: 3 of 10" in controller
    assert "command-runner.jar removes }} from arguments, as EMR's does" in controller


def test_steps_may_be_added_to_a_cluster_that_was_made_to_end_after_its_last_step(
    local_emr_settings: Settings, server: EmrServer, tmp_path: Path
) -> None:
    """A cluster without provisioning time must not end before its client adds the first step."""
    with EmrServer(replace(local_emr_settings, speedup=1.0, work_dir=tmp_path)) as unhurried:
        emr = make_client(unhurried.endpoint)
        request = a_cluster(Instances={"KeepJobFlowAliveWhenNoSteps": False})
        cluster_id = emr.run_job_flow(**request)["JobFlowId"]
        wait_for_cluster(emr, cluster_id, "BOOTSTRAPPING")
        add_step(emr, cluster_id, bash_step("exit 0", name="first"))
        status = wait_for_cluster(emr, cluster_id, *ENDED)
        assert status["StateChangeReason"] == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
        assert step_states(emr, cluster_id) == {"first": "COMPLETED"}


def test_a_step_is_described_as_it_was_asked_for(emr: Any, run: Run) -> None:
    cluster_id = run()
    step_id = add_step(emr, cluster_id, bash_step("exit 0", name="featurize"))
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    step = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    timeline = step["Status"].pop("Timeline")
    assert timeline["CreationDateTime"] <= timeline["StartDateTime"] <= timeline["EndDateTime"]
    assert step == {
        "Id": step_id,
        "Name": "featurize",
        "Config": {"Jar": "command-runner.jar", "Properties": {}, "Args": ["bash", "-c", "exit 0"]},
        "ActionOnFailure": "CONTINUE",
        "Status": {"State": "COMPLETED", "StateChangeReason": {}},
    }


def test_a_step_sees_a_small_environment_with_its_aws_credentials(
    emr: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/airflow")
    monkeypatch.setenv("PYTHONPATH", "/airflow")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    exports = [{"Classification": "export", "Properties": {"ORCHARD_MODEL": "a b"}}]
    cluster_id = run(Configurations=[{"Classification": "spark-env", "Configurations": exports}])
    step_id = add_step(emr, cluster_id, bash_step(f"env -0 > {tmp_path}/env"))
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    entries = (tmp_path / "env").read_text().split("\0")[:-1]
    environment = dict(entry.split("=", 1) for entry in entries)
    assert {"AIRFLOW_HOME", "PYTHONPATH"}.isdisjoint(environment)
    assert environment["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:1"
    assert environment["AWS_ACCESS_KEY_ID"] == "local"
    assert environment["SPARK_LOCAL_IP"] == "127.0.0.1"
    assert environment["ORCHARD_MODEL"] == "a b"


@pytest.mark.parametrize(
    ("jar_step", "message"),
    [
        ({"Jar": "/no/such.jar"}, "Failed to fetch /no/such.jar: no such file"),
        ({"Jar": "file:///no/such.jar"}, "Failed to fetch file:///no/such.jar: no such file"),
        (
            {"Jar": "s3://region.elasticmapreduce/libs/script-runner/script-runner.jar"},
            "script-runner.jar needs Args: the script and its arguments",
        ),
        (
            {"Jar": "script-runner.jar", "Args": ["/no/such.sh"]},
            "Failed to fetch /no/such.sh: no such file",
        ),
        (
            {"Jar": "command-runner.jar", "Args": ["", "}}"]},
            "command-runner.jar needs Args: the program and its arguments",
        ),
        ({"Jar": "command-runner.jar"}, "command-runner.jar needs Args: the program and its arguments"),
        (
            {"Jar": "command-runner.jar", "Args": ["no-such-program"]},
            "Cannot run program 'no-such-program': not in the node's Python environment nor in PATH",
        ),
    ],
)
def test_a_step_that_cannot_be_run_fails_and_says_why(
    emr: Any, run: Run, jar_step: Json, message: str
) -> None:
    cluster_id = run()
    step_id = add_step(emr, cluster_id, {"Name": "bad", "HadoopJarStep": jar_step})
    status = wait_for_step(emr, cluster_id, step_id, "FAILED")
    assert status["FailureDetails"] == {"Reason": "Unable to run the step.", "Message": message}


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ('printf "[%s]" "${@:2}" > "$1"', "[a b][][}}]"),
        (
            "#!/usr/bin/env python3\nimport sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))",
            "['a b', '', '}}']",
        ),
    ],
    ids=["bash", "named"],
)
def test_script_runner_runs_a_script_with_its_arguments_as_they_are(
    emr: Any, run: Run, tmp_path: Path, script: str, told: str
) -> None:
    file = tmp_path / "script with space"
    file.write_text(script)
    jar = "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"
    arguments = [file.as_uri(), str(tmp_path / "told"), "a b", "", "}}"]
    cluster_id = run()
    step = {"Name": "script", "HadoopJarStep": {"Jar": jar, "Args": arguments}}
    wait_for_step(emr, cluster_id, add_step(emr, cluster_id, step), "COMPLETED")
    assert (tmp_path / "told").read_text() == told


def test_a_failed_step_names_the_error_and_the_log_it_stands_in(emr: Any, run: Run, tmp_path: Path) -> None:
    cluster_id = run(LogUri=f"{tmp_path.as_uri()}/")
    script = (
        "echo 'Traceback (most recent call last):\n  File x\npkg.BadInputError: no images\nbye' >&2; exit 1"
    )
    step_id = add_step(emr, cluster_id, bash_step(script))
    status = wait_for_step(emr, cluster_id, step_id, "FAILED")
    assert status["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "pkg.BadInputError: no images",
        "LogFile": f"{tmp_path.as_uri()}/{cluster_id}/steps/{step_id}/stderr.gz",
    }


@pytest.mark.parametrize(
    ("on_failure", "states", "cluster_state"),
    [
        ("CONTINUE", {"bad": "FAILED", "next": "COMPLETED"}, "WAITING"),
        ("CANCEL_AND_WAIT", {"bad": "FAILED", "next": "CANCELLED"}, "WAITING"),
        ("TERMINATE_CLUSTER", {"bad": "FAILED", "next": "CANCELLED"}, "TERMINATED_WITH_ERRORS"),
        ("TERMINATE_JOB_FLOW", {"bad": "FAILED", "next": "CANCELLED"}, "TERMINATED_WITH_ERRORS"),
    ],
)
def test_action_on_failure_decides_what_a_failure_does(
    emr: Any, run: Run, on_failure: str, states: dict[str, str], cluster_state: str
) -> None:
    cluster_id = run(
        Steps=[bash_step("exit 1", name="bad", on_failure=on_failure), bash_step(":", name="next")]
    )
    status = wait_for_cluster(emr, cluster_id, cluster_state)
    assert step_states(emr, cluster_id) == states
    if cluster_state != "WAITING":
        assert status["StateChangeReason"] == {"Code": "STEP_FAILURE", "Message": "Shut down as step failed"}


def test_a_protected_cluster_outlives_a_step_that_would_terminate_it(emr: Any, run: Run) -> None:
    bad = bash_step("exit 1", name="bad", on_failure="TERMINATE_CLUSTER")
    cluster_id = run(Steps=[bad, bash_step(":", name="next")], Instances={"TerminationProtected": True})
    wait_for_cluster(emr, cluster_id, "WAITING")
    assert step_states(emr, cluster_id) == {"bad": "FAILED", "next": "CANCELLED"}


def test_steps_run_one_after_the_other_unless_concurrency_is_asked_for(
    emr: Any, run: Run, tmp_path: Path
) -> None:
    wait = f"for _ in $(seq 100); do [ -e {tmp_path}/$2 ] && exit 0; sleep 0.1; done; exit 1"
    meet = f"touch {tmp_path}/$1; {wait}"
    steps = [bash_step(meet, "bash", "a", "b", name="a"), bash_step(meet, "bash", "b", "a", name="b")]
    cluster_id = run(StepConcurrencyLevel=2, Steps=steps)
    wait_for_cluster(emr, cluster_id, "WAITING")
    assert step_states(emr, cluster_id) == {"a": "COMPLETED", "b": "COMPLETED"}
    assert emr.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=1)["StepConcurrencyLevel"] == 1
    (tmp_path / "b").unlink()
    one_by_one = [
        bash_step(f"sleep 0.5; [ ! -e {tmp_path}/b ]", name="c"),
        bash_step(f"touch {tmp_path}/b", name="d"),
    ]
    last = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=one_by_one)["StepIds"][-1]
    wait_for_step(emr, cluster_id, last, "COMPLETED")
    assert step_states(emr, cluster_id) == dict.fromkeys("abcd", "COMPLETED")


def test_a_concurrent_step_may_only_continue_on_failure(emr: Any, run: Run) -> None:
    cluster_id = run(StepConcurrencyLevel=2)
    with pytest.raises(ClientError, match="ActionOnFailure TERMINATE_CLUSTER is not valid"):
        add_step(emr, cluster_id, bash_step(":", on_failure="TERMINATE_CLUSTER"))


def test_an_ended_cluster_takes_no_steps(emr: Any, run: Run) -> None:
    cluster_id = run(Instances={"KeepJobFlowAliveWhenNoSteps": False})
    wait_for_cluster(emr, cluster_id, *ENDED)
    with pytest.raises(ClientError) as refused:
        add_step(emr, cluster_id, bash_step(":"))
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "A job flow that is shutting down, terminated, or finished may not be modified.",
    }


def test_a_cluster_has_at_most_256_active_steps(emr: Any, run: Run) -> None:
    cluster_id = run(Steps=[bash_step("sleep 300")])
    for count in (100, 100, 55):
        emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[bash_step(":")] * count)
    with pytest.raises(ClientError, match="Maximum number of active steps"):
        add_step(emr, cluster_id, bash_step(":"))


def test_steps_are_listed_newest_first_by_state_by_id_and_over_several_pages(emr: Any, run: Run) -> None:
    cluster_id = run(
        Steps=[bash_step("sleep 300", name="0")] + [bash_step(":", name=str(n)) for n in range(1, 5)]
    )
    pages = list(emr.get_paginator("list_steps").paginate(ClusterId=cluster_id))
    assert [[step["Name"] for step in page["Steps"]] for page in pages] == [["4", "3", "2"], ["1", "0"]]
    ids = {step["Name"]: step["Id"] for page in pages for step in page["Steps"]}
    by_id = emr.list_steps(ClusterId=cluster_id, StepIds=[ids["1"], ids["3"]])["Steps"]
    assert [step["Name"] for step in by_id] == ["3", "1"]
    wait_for_step(emr, cluster_id, ids["0"], "RUNNING")
    running = emr.list_steps(ClusterId=cluster_id, StepStates=["RUNNING"])["Steps"]
    assert [step["Name"] for step in running] == ["0"]


def test_a_page_of_steps_in_a_state_is_followed_by_the_next_though_its_last_has_left_the_state(
    emr: Any, run: Run
) -> None:
    cluster_id = run(Steps=[bash_step("sleep 300", name=str(number)) for number in range(6)])
    asked = {"ClusterId": cluster_id, "StepStates": ["PENDING"]}
    wait_for(
        lambda: len(emr.list_steps(ClusterId=cluster_id, StepStates=["RUNNING"])["Steps"]) == 1, "a step"
    )
    first = emr.list_steps(**asked)
    emr.cancel_steps(ClusterId=cluster_id, StepIds=[first["Steps"][-1]["Id"]])
    second = emr.list_steps(**asked, Marker=first["Marker"])
    names = [[step["Name"] for step in page["Steps"]] for page in (first, second)]
    assert names == [["5", "4", "3"], ["2", "1"]]


def test_a_cluster_that_is_modified_without_a_level_keeps_its_step_concurrency(emr: Any, run: Run) -> None:
    cluster_id = run(StepConcurrencyLevel=3)
    modified = emr.modify_cluster(ClusterId=cluster_id, ExtendedSupport=True)
    assert (modified["StepConcurrencyLevel"], modified["ExtendedSupport"]) == (3, True)
    assert describe(emr, cluster_id)["StepConcurrencyLevel"] == 3


@pytest.mark.parametrize("classification", ["spark-defaults", "spark-env"])
def test_a_python_that_the_bootstrap_actions_have_not_made_fails_the_step_and_says_so(
    emr: Any, run: Run, tmp_path: Path, classification: str
) -> None:
    script = tmp_path / "bootstrap.sh"
    script.write_text("exit 0")
    export = {"Classification": "export", "Properties": {"PYSPARK_PYTHON": "/no/python"}}
    configurations: dict[str, Json] = {
        "spark-defaults": {"Properties": {"spark.pyspark.python": "/no/python"}},
        "spark-env": {"Configurations": [export]},
    }
    cluster_id = run(
        BootstrapActions=[{"Name": "b", "ScriptBootstrapAction": {"Path": script.as_uri()}}],
        Configurations=[{"Classification": classification, **configurations[classification]}],
    )
    step = bash_step(":")
    step["HadoopJarStep"]["Args"] = ["spark-submit", "run.py"]
    status = wait_for_step(emr, cluster_id, add_step(emr, cluster_id, step), "FAILED")
    asked = {"spark-defaults": "spark.pyspark.python", "spark-env": "PYSPARK_PYTHON"}[classification]
    assert status["FailureDetails"]["Reason"] == "Unable to run the step."
    assert status["FailureDetails"]["Message"].startswith(f"{asked}=/no/python: no such program")
