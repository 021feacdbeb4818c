"""`orchard deploy --environment`: managed Airflow is updated, waited for, and goes back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployment.environment import UPDATABLE
from orchard_cli.app import main
from tests.support.airflow.deployments import BUCKET, REGION, Repository, deploy_options, objects, read
from tests.support.airflow.managed_airflow import NAME, ManagedAirflow

Deploy = Callable[..., int]
PINNED = ("plugins.zip", "requirements.txt", "startup.sh")


@pytest.fixture
def script(s3: Any) -> None:
    """The bucket has a startup script."""
    s3.put_object(Bucket=BUCKET, Key="startup.sh", Body=b"export ORCHARD_LAKE='s3://orchard-lake'\n")


def pinned(environment: ManagedAirflow) -> dict[str, str]:
    state = environment.state
    names = {"plugins.zip": "Plugins", "requirements.txt": "Requirements", "startup.sh": "StartupScript"}
    for key, name in names.items():
        assert state[f"{name}S3Path"] == key
    return {key: state[f"{name}S3ObjectVersion"] for key, name in names.items()}


def newest(s3: Any) -> dict[str, str]:
    return {key: version for key, version in objects(s3).items() if key in PINNED}


@pytest.mark.usefixtures("script")
def test_it_gets_all_three_versions_and_it_is_said_what_is_live(
    deploy: Deploy,
    managed: ManagedAirflow,
    repository: Repository,
    model: Path,
    s3: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert deploy(MODEL=str(model), ENVIRONMENT=NAME) == 0
    assert pinned(managed) == newest(s3)
    assert len(managed.updates) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"{NAME} is UPDATING", f"{NAME} is AVAILABLE"]
    *_, state, live = said.out.splitlines()
    assert (
        state
        == f"{NAME} is AVAILABLE with Airflow 3.3.1 at https://0a1b2c3d.c1.eu-west-3.airflow.amazonaws.com"
    )
    revision = repository.git("rev-parse", "HEAD")[:12]
    versions = newest(s3)
    assert live == f"live: revision {revision}, " + ", ".join(f"{key} {versions[key]}" for key in PINNED)


@pytest.mark.usefixtures("script")
def test_tasks_that_are_at_work_end_before_their_worker_goes(
    deploy: Deploy, managed: ManagedAirflow, model: Path
) -> None:
    deploy(MODEL=str(model), ENVIRONMENT=NAME)
    assert managed.updates[0]["WorkerReplacementStrategy"] == "GRACEFUL"


@pytest.mark.usefixtures("script")
def test_what_has_not_changed_is_no_update(
    deploy: Deploy, managed: ManagedAirflow, repository: Repository, model: Path, s3: Any, capsys: Any
) -> None:
    deploy(MODEL=str(model), ENVIRONMENT=NAME)
    repository.write("dags/orchard/more.py", "")
    second = repository.commit()
    capsys.readouterr()
    assert deploy(ENVIRONMENT=NAME) == 0
    assert len(managed.updates) == 1
    said = capsys.readouterr().out
    assert f"same    managed Airflow {NAME}" in said
    assert f"live: revision {second[:12]}, plugins.zip {objects(s3)['plugins.zip']}" in said
    assert "dags/orchard/more.py" in objects(s3)


def test_an_environment_that_lacks_a_version_is_updated_though_nothing_was_uploaded(
    deploy: Deploy, managed: ManagedAirflow, model: Path, s3: Any
) -> None:
    """A deployment without --environment comes first where the environment is made after it."""
    deploy(MODEL=str(model))
    before = objects(s3)
    assert deploy(ENVIRONMENT=NAME) == 0
    assert objects(s3) == before
    assert managed.state["PluginsS3ObjectVersion"] == before["plugins.zip"]
    assert "StartupScriptS3ObjectVersion" not in managed.state  # there is none in the bucket


@pytest.mark.usefixtures("script")
def test_going_back_gives_it_the_plugins_of_the_old_revision_and_keeps_the_script(
    deploy: Deploy, managed: ManagedAirflow, repository: Repository, model: Path, s3: Any, capsys: Any
) -> None:
    first = repository.git("rev-parse", "HEAD")
    deploy(MODEL=str(model), ENVIRONMENT=NAME)
    of_first, script = read(s3, "plugins.zip"), objects(s3)["startup.sh"]
    repository.write("plugins/orchard_airflow/more.py", "")
    repository.commit()
    deploy(ENVIRONMENT=NAME)
    assert read(s3, "plugins.zip") != of_first
    capsys.readouterr()
    assert deploy(ENVIRONMENT=NAME, REVISION=first) == 0
    assert f"live: revision {first[:12]}" in capsys.readouterr().out
    assert len(managed.updates) == 3
    version = pinned(managed)["plugins.zip"]
    body = s3.get_object(Bucket=BUCKET, Key="plugins.zip", VersionId=version)["Body"].read()
    assert body == of_first
    assert pinned(managed)["startup.sh"] == script
    assert json.loads(read(s3, "dags/orchard/deployed.json"))["revision"] == first


@pytest.mark.usefixtures("script")
def test_its_dags_go_over_only_when_it_has_the_plugins_that_they_need(
    deploy: Deploy, managed: ManagedAirflow, model: Path, s3: Any
) -> None:
    keys: list[set[str]] = []
    managed.on_update = lambda: keys.append(set(objects(s3)))
    deploy(MODEL=str(model), ENVIRONMENT=NAME)
    (during,) = keys
    assert "plugins.zip" in during
    assert not [key for key in during if key.startswith("dags/")]
    assert "dags/orchard/deployed.json" in objects(s3)


@pytest.mark.parametrize("states", [["UPDATING", "ROLLING_BACK", "UPDATE_FAILED"], ["UPDATING", "AVAILABLE"]])
def test_an_update_that_fails_says_why_and_leaves_the_dags_as_they_were(
    states: list[str],
    deploy: Deploy,
    managed: ManagedAirflow,
    repository: Repository,
    model: Path,
    s3: Any,
    capsys: Any,
) -> None:
    deploy(MODEL=str(model), ENVIRONMENT=NAME)
    dags = {key: version for key, version in objects(s3).items() if key.startswith("dags/")}
    repository.write("plugins/orchard_airflow/more.py", "")
    repository.write("dags/orchard/more.py", "")
    repository.commit()
    managed.next_states, managed.error = states, "The requirements could not be installed."
    capsys.readouterr()
    assert deploy(ENVIRONMENT=NAME) == 2
    *_, line, hint = capsys.readouterr().err.splitlines()
    assert line == (
        f"orchard: the update of managed Airflow {NAME} failed, and it is {states[-1]}: "
        "INCORRECT_CONFIGURATION: The requirements could not be installed."
    )
    assert f"airflow-{NAME}-*" in hint
    assert "--revision=HASH" in hint
    assert {key: version for key, version in objects(s3).items() if key.startswith("dags/")} == dags


def test_after_a_failed_update_the_same_command_tries_again(
    deploy: Deploy, managed: ManagedAirflow, model: Path, s3: Any
) -> None:
    """What failed before says nothing of the update that begins now."""
    managed.next_states, managed.error = ["UPDATE_FAILED"], "no reason"
    assert deploy(MODEL=str(model), ENVIRONMENT=NAME) == 2
    managed.next_states, managed.error = ["UPDATING", "AVAILABLE"], ""
    assert deploy(ENVIRONMENT=NAME, MODEL=str(model)) == 0
    assert managed.state["PluginsS3ObjectVersion"] == objects(s3)["plugins.zip"]
    assert "dags/orchard/deployed.json" in objects(s3)


def test_an_update_that_aws_refuses_is_told(
    deploy: Deploy, managed: ManagedAirflow, model: Path, s3: Any, capsys: Any
) -> None:
    managed.refusal = "Invalid version"
    assert deploy(MODEL=str(model), ENVIRONMENT=NAME) == 2
    assert f"managed Airflow {NAME} was not updated: " in capsys.readouterr().err
    assert not [key for key in objects(s3) if key.startswith("dags/")]


def test_one_that_takes_too_long_is_told_and_goes_on(
    deploy: Deploy, managed: ManagedAirflow, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    managed.next_states = ["UPDATING"]
    moments = iter([0.0, 30.0, 61.0])
    monkeypatch.setattr("deployment.environment.monotonic", lambda: next(moments))
    assert deploy(MODEL=str(model), ENVIRONMENT=NAME, WAIT_MINUTES="1") == 2
    said = capsys.readouterr().err
    assert f"managed Airflow {NAME} is UPDATING after 1 minutes: the update continues in AWS" in said
    assert f"`aws mwaa get-environment --name {NAME}" in said


def test_control_c_says_what_goes_on_and_the_same_command_does_the_rest(
    deploy: Deploy, managed: ManagedAirflow, model: Path, s3: Any, capsys: Any
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    managed.on_update = interrupt
    with pytest.raises(SystemExit) as end:
        deploy(MODEL=str(model), ENVIRONMENT=NAME)
    assert end.value.code == 130
    assert f"an update of managed Airflow {NAME} that has begun continues in AWS" in capsys.readouterr().err
    assert not [key for key in objects(s3) if key.startswith("dags/")]
    managed.on_update = lambda: None
    assert deploy(MODEL=str(model), ENVIRONMENT=NAME) == 0
    assert "dags/orchard/deployed.json" in objects(s3)


def test_a_dry_run_says_what_would_be_updated_and_does_nothing(
    deploy: Deploy, managed: ManagedAirflow, model: Path, s3: Any, capsys: Any
) -> None:
    assert deploy(MODEL=str(model), ENVIRONMENT=NAME, DRY_RUN="1") == 0
    assert objects(s3) == {}
    assert managed.updates == []
    assert (
        f"update  managed Airflow {NAME}         plugins.zip, requirements.txt\n" in capsys.readouterr().out
    )


@pytest.mark.usefixtures("deploy", "script")
def test_what_is_live_is_there_for_programs_too(
    managed: ManagedAirflow, model: Path, s3: Any, capsys: Any
) -> None:
    options = deploy_options(BUCKET=BUCKET, REGION=REGION, MODEL=str(model), ENVIRONMENT=NAME)
    assert main(["deploy", *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["environment"] == {"name": NAME, "updates": list(PINNED)}
    assert found["is_done"] is True
    assert found["live"] == {
        "environment": NAME,
        "status": "AVAILABLE",
        "airflow_version": "3.3.1",
        "url": managed.state["WebserverUrl"],
        "revision": found["revision"],
        "versions": newest(s3),
    }


def refused(deploy: Deploy, s3: Any, capsys: Any, **variables: str) -> str:
    """Deploy; return why nothing was uploaded, and the hint."""
    before = objects(s3)
    assert deploy(**variables) == 2
    assert objects(s3) == before
    return str(capsys.readouterr().err)


@pytest.mark.usefixtures("managed")
def test_one_that_is_not_there_is_told(deploy: Deploy, model: Path, s3: Any, capsys: Any) -> None:
    """Or is in another region: AWS answers the same."""
    said = refused(deploy, s3, capsys, MODEL=str(model), ENVIRONMENT="another")
    assert said.startswith("orchard: managed Airflow another: there is none in eu-west-3.")
    assert "`aws mwaa list-environments --region eu-west-3`" in said


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"SourceBucketArn": "arn:aws:s3:::theirs"},
            f"reads the bucket theirs: the deployment is for {BUCKET}",
        ),
        ({"DagS3Path": "airflow/dags"}, "reads its DAGs from airflow/dags/: they are deployed to dags/"),
        ({"AirflowVersion": "3.2.0"}, "has Airflow 3.2.0: the requirements of this revision are for 3.3.1"),
    ],
)
def test_one_that_would_not_run_it_is_refused(
    change: dict[str, str],
    expected: str,
    deploy: Deploy,
    managed: ManagedAirflow,
    model: Path,
    s3: Any,
    capsys: Any,
) -> None:
    managed.state |= change
    assert expected in refused(deploy, s3, capsys, MODEL=str(model), ENVIRONMENT=NAME)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("CREATING", "Deploy again once"),
        ("UPDATING", "Deploy again once"),
        ("MAINTENANCE", "Deploy again once"),
        ("CREATE_FAILED", "Create it again"),
        ("DELETING", "Create it again"),
    ],
)
def test_one_that_takes_no_update_now_is_refused_before_anything_is_uploaded(
    status: str, remedy: str, deploy: Deploy, managed: ManagedAirflow, model: Path, s3: Any, capsys: Any
) -> None:
    managed.state |= {"Status": status}
    said = refused(deploy, s3, capsys, MODEL=str(model), ENVIRONMENT=NAME)
    assert (
        f"managed Airflow {NAME} is {status}: it can be updated only if it is {' or '.join(UPDATABLE)}"
        in said
    )
    assert remedy in said


@pytest.mark.usefixtures("managed")
def test_a_bucket_that_keeps_no_versions_is_refused(
    deploy: Deploy, model: Path, s3: Any, capsys: Any
) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    said = refused(deploy, s3, capsys, MODEL=str(model), ENVIRONMENT=NAME)
    assert f"the bucket {BUCKET} keeps no versions" in said
