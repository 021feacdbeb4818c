"""``make deploy``, which passes on what it was given: BUCKET, REVISION, MODEL, REGION and DRY_RUN."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.bucket import Bucket, Change, describe
from deploy.errors import DeployError
from deploy.model import CARD, find_model
from deploy.plan import make_plan
from deploy.revision import read_revision
from deploy.wheels import collect_wheels

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / ".orchard" / "wheels"


@dataclass(frozen=True)
class Request:
    """What is to be deployed.

    Args:
        bucket: Its name.
        revision: Anything that git takes for a commit; '' for the checked out, which has to be committed.
        model: A model artefact, here or in S3; '' for the one that is deployed.
        region: Where the bucket has to be; '' for that of ORCHARD_REGION or boto3's own.
        dry_run: Whether to say only what would be done.
    """

    bucket: str
    revision: str
    model: str
    region: str
    dry_run: bool

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raise DeployError where there is no bucket."""
        bucket = environ.get("BUCKET", "").removeprefix("s3://").rstrip("/")
        if not bucket or "/" in bucket:
            given = environ.get("BUCKET", "")
            raise DeployError(f"BUCKET={given}: it takes the name of a bucket. Give the lake's: BUCKET=name.")
        revision, model, region = (environ.get(name, "") for name in ("REVISION", "MODEL", "REGION"))
        region = region or environ.get("ORCHARD_REGION") or boto3.session.Session().region_name or ""
        return cls(bucket, revision, model, region, environ.get("DRY_RUN", "") not in ("", "0"))


def main(environ: Mapping[str, str], repository: Path = ROOT) -> int:
    """Deploy; return the exit code."""
    try:
        deploy(Request.from_env(environ), repository)
    except DeployError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    except (ClientError, BotoCoreError) as error:
        print(f"orchard: {error}. Look at the credentials and their permissions.", file=sys.stderr)
        return 2
    return 0


def deploy(request: Request, repository: Path) -> None:
    """Do what is asked for. Raises DeployError before anything is uploaded."""
    revision = read_revision(repository, request.revision)
    bucket = Bucket(request.bucket, boto3.client("s3", region_name=request.region or "us-east-1"))
    bucket.refuse_other_region(request.region)
    deployed = bucket.deployed()
    model = find_model(request.model, bucket.name, deployed.get("environment", {}).get("ORCHARD_MODEL"))
    if not model.files:
        bucket.refuse_missing(f"{model.uri}/{CARD}")
    wheels = collect_wheels(revision.files["bootstrap/requirements.txt"].decode(), WHEELS)
    changes = bucket.compare(make_plan(revision, wheels, model, bucket.name, deployed))
    print(f"revision {revision.name} to s3://{bucket.name} in {request.region}, with the model {model.uri}")
    for line in describe(changes):
        print(line)
    if request.dry_run:
        print("Nothing has been done (DRY_RUN).")
        return
    bucket.carry_out(changes)
    print(report(bucket, changes))


def report(bucket: Bucket, changes: list[Change]) -> str:
    """Return what was done, and what is left to do by hand."""
    changed = {change.key for change in changes if change.kind != "same"}
    if not changed & {"plugins.zip", "requirements.txt"}:
        return (
            f"{len(changed)} objects changed. A run that has begun keeps its code; the next takes this one."
        )
    plugins, requirements = (bucket.version_of(key) for key in ("plugins.zip", "requirements.txt"))
    return (
        f"{len(changed)} objects changed. Managed Airflow takes these two by version:\n"
        "aws mwaa update-environment --name <environment>"
        f" --plugins-s3-path plugins.zip --plugins-s3-object-version {plugins}"
        f" --requirements-s3-path requirements.txt --requirements-s3-object-version {requirements}"
    )


if __name__ == "__main__":
    sys.exit(main(os.environ))
