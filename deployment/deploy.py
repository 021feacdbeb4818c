"""Deploys: what is asked for, what would be done, and doing it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from deployment.bucket import Bucket, Change, describe_changes
from deployment.model import CARD, find_model
from deployment.plan import make_plan
from deployment.revision import read_revision
from deployment.wheels import collect_wheels
from orchard_jobs.errors import OrchardError

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / ".orchard" / "wheels"
BY_VERSION = {"plugins.zip": "plugins", "requirements.txt": "requirements", "startup.sh": "startup-script"}
"""What managed Airflow takes only with an update that names its version, and what the update calls it. The
startup script is put there by whoever follows docs/aws.md.
"""


@dataclass(frozen=True)
class Request:
    """What is to be deployed.

    Args:
        bucket: Its name.
        revision: Anything that git takes for a commit; '' for the checked out, which has to be committed.
        model: A model artefact, here or in S3; '' for the one that is deployed.
        region: Where the bucket has to be; '' for boto3's own.
    """

    bucket: str
    revision: str = ""
    model: str = ""
    region: str = ""

    def __post_init__(self) -> None:
        name = self.bucket.removeprefix("s3://").rstrip("/")
        if not name or "/" in name:
            raise OrchardError(
                f"the bucket '{self.bucket}'",
                rule="it takes the name of a bucket",
                remedy="Give the lake's: --bucket=NAME, or BUCKET=NAME with make",
            )
        object.__setattr__(self, "bucket", name)
        object.__setattr__(self, "region", self.region or boto3.session.Session().region_name or "")


@dataclass(frozen=True)
class Deployment:
    """What is to be done in a bucket, and what it is of."""

    revision: str
    region: str
    model: str
    bucket: Bucket
    changes: list[Change]

    def describe(self) -> Iterator[str]:
        """Yield the plan for people."""
        to = f"s3://{self.bucket.name} in {self.region}"
        yield f"revision {self.revision} to {to}, with the model {self.model}"
        yield from describe_changes(self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return the plan for programs."""
        changes = [
            {"kind": change.kind, "key": change.key, "size": change.item.size if change.item else None}
            for change in self.changes
        ]
        return {
            "revision": self.revision,
            "bucket": self.bucket.name,
            "region": self.region,
            "model": self.model,
            "changes": changes,
        }

    def carry_out(self) -> None:
        """Do it."""
        self.bucket.carry_out(self.changes)

    def describe_outcome(self) -> str:
        """Return what was done, and what is left to do by hand."""
        changed = {change.key for change in self.changes if change.kind != "same"}
        if not changed & BY_VERSION.keys():
            return (
                f"{len(changed)} objects changed. "
                "A run that has begun keeps its code; the next takes this one."
            )
        versions = {key: self.bucket.version_of(key) for key in BY_VERSION}
        options = " ".join(
            f"--{BY_VERSION[key]}-s3-path {key} --{BY_VERSION[key]}-s3-object-version {version}"
            for key, version in versions.items()
            if version
        )
        return (
            f"{len(changed)} objects changed. Managed Airflow takes some of them by version:\n"
            f"aws mwaa update-environment --name <environment> {options}"
        )


def plan_deployment(request: Request) -> Deployment:
    """Return what is to be done. Raises OrchardError where nothing must be."""
    revision = read_revision(ROOT, request.revision)
    bucket = Bucket(request.bucket, boto3.client("s3", region_name=request.region or "us-east-1"))
    bucket.refuse_other_region(request.region)
    deployed = bucket.deployed()
    model = find_model(request.model, bucket.name, deployed.get("environment", {}).get("ORCHARD_MODEL"))
    if not model.files:
        bucket.refuse_missing(f"{model.uri}/{CARD}")
    wheels = collect_wheels(revision.files["bootstrap/requirements.txt"].decode(), WHEELS)
    changes = bucket.compare(make_plan(revision, wheels, model, bucket.name, deployed))
    return Deployment(revision.name, request.region, model.uri, bucket, changes)
