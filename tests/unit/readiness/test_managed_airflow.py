"""Managed Airflow is looked at where it is named, and tells its role."""

from typing import Any

import pytest

from readiness.finding import Outcome
from tests.unit.infra.stack import ACCOUNT, LAKE
from tests.unit.readiness.sound_account import SoundAccount, list_failed, list_skipped
from tests.unit.readiness.test_sound_account import simulated_principals

ROLE = f"arn:aws:iam::{ACCOUNT}:role/airflow"


@pytest.fixture
def environment(sound: SoundAccount) -> dict[str, Any]:
    """What AWS says of the environment; moto does not know it."""
    s3 = sound.client("s3")
    versions = {
        key: s3.put_object(Bucket=LAKE, Key=key, Body=b"1")["VersionId"]
        for key in ("plugins.zip", "requirements.txt", "startup.sh")
    }
    found = {
        "Name": "my-airflow",
        "Status": "AVAILABLE",
        "AirflowVersion": "3.3.1",
        "ExecutionRoleArn": ROLE,
        "SourceBucketArn": f"arn:aws:s3:::{LAKE}",
        "PluginsS3Path": "plugins.zip",
        "PluginsS3ObjectVersion": versions["plugins.zip"],
        "RequirementsS3Path": "requirements.txt",
        "RequirementsS3ObjectVersion": versions["requirements.txt"],
        "StartupScriptS3Path": "startup.sh",
        "StartupScriptS3ObjectVersion": versions["startup.sh"],
    }
    sound.answers["GetEnvironment"] = lambda _: {"Environment": found}
    return found


@pytest.mark.usefixtures("environment")
def test_it_passes_and_its_role_is_simulated(sound: SoundAccount) -> None:
    findings = sound.ask(role="", mwaa="my-airflow")
    assert [finding for finding in findings if finding.outcome is not Outcome.PASS] == []
    assert [(finding.check, finding.found) for finding in findings[-4:]] == [
        ("MWAA my-airflow", "Airflow 3.3.1"),
        ("MWAA my-airflow: plugins.zip", "plugins.zip in its newest version"),
        ("MWAA my-airflow: requirements.txt", "requirements.txt in its newest version"),
        ("MWAA my-airflow: startup.sh", "startup.sh in its newest version"),
    ]
    assert simulated_principals(sound) == {ROLE}


@pytest.mark.parametrize(
    ("change", "said", "remedy"),
    [
        (
            {"AirflowVersion": "3.2.0"},
            "Airflow 3.2.0, and the requirements are for 3.3.1",
            "use Airflow 3.3.1",
        ),
        ({"Status": "UPDATING"}, "it is UPDATING", "wait until it is AVAILABLE"),
        ({"PluginsS3ObjectVersion": "old"}, "plugins.zip is pinned to old", "`orchard deploy"),
        (
            {"StartupScriptS3Path": ""},
            "the environment has none",
            "`orchard deploy --environment my-airflow`",
        ),
        (
            {"RequirementsS3Path": "r.txt"},
            f"there is no s3://{LAKE}/r.txt",
            "`orchard deploy --stack` uploads",
        ),
        ({"PluginsS3Path": ""}, "the environment has none", "`orchard deploy --environment my-airflow`"),
    ],
)
def test_a_fault_of_it_is_found(
    change: dict[str, str], said: str, remedy: str, sound: SoundAccount, environment: dict[str, Any]
) -> None:
    environment |= change
    (finding,) = list_failed(sound.ask(mwaa="my-airflow"))
    assert said in finding.found
    assert remedy in finding.remedy


def test_a_name_that_is_none_is_found(sound: SoundAccount) -> None:
    sound.refuse("GetEnvironment", code="ResourceNotFoundException", status=404)
    (finding,) = list_failed(sound.ask(mwaa="nothing"))
    assert (finding.check, finding.remedy) == ("MWAA nothing", "correct --mwaa-environment")


def test_whoever_may_not_see_it_skips_it(sound: SoundAccount) -> None:
    sound.refuse("GetEnvironment", code="AccessDeniedException")
    findings = sound.ask(mwaa="my-airflow")
    assert list_failed(findings) == []
    assert [finding.found for finding in list_skipped(findings)] == [
        "these credentials lack airflow:GetEnvironment"
    ]
