"""Managed Airflow, if it is named: its version, and whether it has the latest deployment."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployment.environment import PINNED, find_constrained_version, list_members
from readiness.finding import Finding, failed, passed
from readiness.refusals import ask

PINS = Path(__file__).resolve().parents[1] / "deployment" / "requirements-mwaa.txt"


def find_execution_role(mwaa: Any, name: str) -> str:
    """Return the ARN of managed Airflow's role; '' if it is unknown."""
    try:
        role: str = mwaa.get_environment(Name=name)["Environment"].get("ExecutionRoleArn", "")
    except (ClientError, BotoCoreError):
        return ""  # ``check_environment`` says why
    return role


def check_environment(mwaa: Any, s3: Any, name: str) -> Iterator[Finding]:
    """Check the environment, its version, and the versions of its pinned objects."""
    if not name:
        return
    check = f"MWAA {name}"
    answer = ask(lambda: mwaa.get_environment(Name=name), ("ResourceNotFoundException",))
    if answer is None:
        yield failed(check, "there is none in this region and account", "correct --mwaa-environment")
        return
    found = answer["Environment"]
    if found["Status"] != "AVAILABLE":
        yield failed(check, f"it is {found['Status']}", "wait until it is AVAILABLE, or see its events")
    yield _check_version(check, found["AirflowVersion"])
    for key in PINNED:
        yield _check_pin(s3, f"{check}: {key}", found, key)


def _check_version(check: str, version: str) -> Finding:
    """Check that the requirements name the constraints of its Airflow version."""
    wanted = find_constrained_version(PINS.read_text())
    if version == wanted:
        return passed(check, f"Airflow {version}")
    remedy = f"use Airflow {wanted}, or change the constraints in deployment/requirements-mwaa.txt"
    return failed(check, f"Airflow {version}, and the requirements are for {wanted}", remedy)


def _check_pin(s3: Any, check: str, found: Mapping[str, Any], key: str) -> Finding:
    """Check that it has the newest version of a pinned object."""
    path, pinned = (found.get(name) for name in list_members(key))
    update = f"`orchard deploy --environment {found['Name']}` names it to the environment"
    if not path:
        return failed(check, "the environment has none", update)
    bucket = found["SourceBucketArn"].rpartition(":")[2]
    there = ask(lambda: s3.head_object(Bucket=bucket, Key=path), ("404",))
    if there is None:
        return failed(check, f"there is no s3://{bucket}/{path}", "`orchard deploy --stack` uploads it")
    newest = there.get("VersionId")
    if pinned and newest != pinned:
        return failed(check, f"{path} is pinned to {pinned}, and {newest} is deployed", update)
    return passed(check, f"{path} in its newest version")
