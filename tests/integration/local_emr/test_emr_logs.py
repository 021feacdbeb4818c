"""Logs under LogUri in EMR's layout, in a folder and in S3; and files that clusters download."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from local_emr.execution import storage
from local_emr.execution.logs import push_container_logs
from local_emr.launcher import running_emr
from local_emr.settings import Settings
from tests.support.local_emr_client import (
    ENDED,
    a_cluster,
    add_step,
    bash_step,
    describe,
    make_client,
    node_python,
    wait_for_cluster,
    wait_for_step,
)
from tests.support.tiny_jar import make_jar

Run = Callable[..., str]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    storage.s3_client.cache_clear()
    bucket = boto3.resource("s3").Bucket("orchard")
    bucket.create()
    yield bucket
    storage.s3_client.cache_clear()
    server.stop()


def read(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): gzip.decompress(path.read_bytes()).decode() for path in files}


def test_logs_of_steps_and_bootstrap_actions_lie_where_emr_puts_them(
    emr: Any, run: Run, tmp_path: Path
) -> None:
    script = tmp_path / "bootstrap.sh"
    script.write_text("echo installed; echo warned >&2")
    logs = tmp_path / "with space"
    action = {"Name": "install", "ScriptBootstrapAction": {"Path": script.as_uri()}}
    cluster_id = run(
        LogUri=logs.as_uri() + "/",
        BootstrapActions=[action],
        Steps=[bash_step("echo out; echo err >&2; exit 7")],
    )
    wait_for_cluster(emr, cluster_id, "WAITING")
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    master = emr.list_instances(ClusterId=cluster_id, InstanceFleetType="MASTER")["Instances"][0][
        "Ec2InstanceId"
    ]
    written = read(logs)
    step, node = f"{cluster_id}/steps/{step_id}", f"{cluster_id}/node/{master}/bootstrap-actions/1"
    controller = written.pop(f"{step}/controller.gz")
    assert "startExec" in controller
    assert "Step failed with exitCode 7" in controller
    assert "Bootstrap action 1 returned 0" in written.pop(f"{node}/controller.gz")
    assert written == {
        f"{step}/stdout.gz": "out\n",
        f"{step}/stderr.gz": "err\n",
        f"{step}/syslog.gz": "",
        f"{node}/stdout.gz": "installed\n",
        f"{node}/stderr.gz": "warned\n",
    }


def test_scripts_come_from_s3_and_logs_go_there(bucket: Any, emr: Any, run: Run) -> None:
    bucket.put_object(Key="bootstrap/bad #1.sh", Body=b'echo "no wheel for $1" >&2; exit 1')
    action = {
        "Name": "install",
        "ScriptBootstrapAction": {"Path": "s3://orchard/bootstrap/bad #1.sh", "Args": ["numpy"]},
    }
    cluster_id = run(LogUri="s3://orchard/logs", BootstrapActions=[action])
    wait_for_cluster(emr, cluster_id, "TERMINATED_WITH_ERRORS")
    master = emr.list_instances(ClusterId=cluster_id, InstanceFleetType="MASTER")["Instances"][0][
        "Ec2InstanceId"
    ]
    folder = f"logs/{cluster_id}/node/{master}/bootstrap-actions/1"
    logs = {
        o.key: gzip.decompress(o.get()["Body"].read()).decode() for o in bucket.objects.filter(Prefix="logs/")
    }
    assert "Bootstrap action 1 returned 1" in logs.pop(f"{folder}/controller.gz")
    assert logs == {f"{folder}/stdout.gz": "", f"{folder}/stderr.gz": "no wheel for numpy\n"}


def test_a_script_of_script_runner_and_a_jar_come_from_s3(
    bucket: Any, emr: Any, run: Run, tmp_path: Path
) -> None:
    bucket.put_object(Key="a b/#1.sh", Body=f'printf "[%s]" "$@" > {tmp_path}/script'.encode())
    bucket.upload_file(str(make_jar(tmp_path / "told.jar", "Told")), "jars/told.jar")
    jar_steps = [
        {
            "Jar": "s3://elasticmapreduce/libs/script-runner/script-runner.jar",
            "Args": ["s3://orchard/a b/#1.sh", "x y"],
        },
        {"Jar": "s3://orchard/jars/told.jar", "Args": [f"{tmp_path}/jar"]},
        {"Jar": "s3://orchard/jars/none.jar"},
    ]
    cluster_id = run()
    for jar_step, state in zip(jar_steps, ("COMPLETED", "COMPLETED", "FAILED"), strict=True):
        step_id = add_step(emr, cluster_id, {"Name": "step", "HadoopJarStep": jar_step})
        status = wait_for_step(emr, cluster_id, step_id, state)
    assert (tmp_path / "script").read_text() == "[x y]"
    assert (tmp_path / "jar").read_text() == f"[{tmp_path}/jar] null"
    assert status["FailureDetails"]["Message"].startswith("Failed to fetch s3://orchard/jars/none.jar: ")


def test_logs_for_s3_may_go_to_a_folder_and_are_told_as_being_in_s3(
    tmp_path: Path, aws_environment: None
) -> None:
    """There is no S3 server: requests to S3 fail."""
    folder = tmp_path / "logs of s3"
    with running_emr(node_python(), tmp_path / "work", options=["--s3-logs", str(folder)]) as endpoint:
        emr = make_client(endpoint)
        request = a_cluster(LogUri="s3://bucket/a b/c#1/", Steps=[bash_step("echo out; echo no >&2; exit 1")])
        cluster_id = emr.run_job_flow(**request)["JobFlowId"]
        step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
        status = wait_for_step(emr, cluster_id, step_id, "FAILED")
        assert describe(emr, cluster_id)["LogUri"] == "s3://bucket/a b/c#1/"
    step = f"{cluster_id}/steps/{step_id}"
    assert status["FailureDetails"]["LogFile"] == f"s3://bucket/a b/c#1/{step}/stderr.gz"
    written = read(folder / "bucket" / "a b" / "c#1")
    del written[f"{step}/controller.gz"]
    assert written == {f"{step}/stdout.gz": "out\n", f"{step}/stderr.gz": "no\n", f"{step}/syslog.gz": ""}


def test_a_log_uri_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="leads out of"):
        storage.place_in_folder("s3://bucket/../../etc/logs/stdout.gz", tmp_path)


def test_a_script_that_s3_does_not_have_fails_the_bootstrap(
    bucket: Any, emr: Any, run: Run, tmp_path: Path
) -> None:
    action = {"Name": "install", "ScriptBootstrapAction": {"Path": "s3://orchard/none.sh"}}
    cluster_id = run(LogUri=tmp_path.as_uri(), BootstrapActions=[action])
    assert wait_for_cluster(emr, cluster_id, *ENDED)["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"
    controller = next(text for name, text in read(tmp_path).items() if name.endswith("controller.gz"))
    assert "Failed to fetch s3://orchard/none.sh" in controller


def test_a_step_does_not_fail_for_logs_that_cannot_be_written(emr: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cluster_id = run(LogUri=(tmp_path / "file").as_uri(), Steps=[bash_step("exit 0")])
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    assert wait_for_step(emr, cluster_id, step_id, "COMPLETED")


def test_without_a_log_uri_a_failure_names_no_file_that_will_be_gone(emr: Any, run: Run) -> None:
    cluster_id = run(Steps=[bash_step("echo 'ValueError: x' >&2; exit 1")])
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    assert wait_for_step(emr, cluster_id, step_id, "FAILED")["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "ValueError: x",
    }


def test_logs_of_containers_lie_where_the_log_pusher_puts_them(
    tmp_path: Path, local_emr_settings: Settings
) -> None:
    container = tmp_path / "node" / "application_1_0001" / "container_1_0001_01_000001"
    container.mkdir(parents=True)
    (container / "stdout").write_text("a traceback")
    (container / "launch_container.sh").write_text("with the environment of the container")
    settings = replace(local_emr_settings, container_logs=(tmp_path / "node",))
    push_container_logs(settings, f"file://{tmp_path}/logs/", "j-1")
    pushed = "j-1/containers/application_1_0001/container_1_0001_01_000001"
    assert read(tmp_path / "logs") == {f"{pushed}/stdout.gz": "a traceback", f"{pushed}/stderr.gz": ""}
