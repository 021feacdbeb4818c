"""Deployments: the request, the plan, and carrying it out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3

from deployment.bucket import Bucket, Change, describe_changes
from deployment.environment import (
    DAGS,
    PINNED,
    Environment,
    Tell,
    build_update,
    find_environment,
    format_command,
)
from deployment.model import CARD, find_model
from deployment.plan import AIRFLOW_REQUIREMENTS, Item, build_plan
from deployment.revision import Revision, read_revision
from deployment.stack import LakeStack, read_stack
from deployment.startup_script import (
    KEY,
    build_startup_script,
    merge_settings,
    parse_variables,
    read_settings,
    validate_variables,
)
from deployment.wheels import collect_wheels
from orchard_jobs.errors import OrchardError

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / ".orchard" / "wheels"
WAIT_MINUTES = 90
"""An update takes 10 to 30 minutes, longer if tasks are running."""


@dataclass(frozen=True)
class Request:
    """A request to deploy a revision.

    Args:
        bucket: Name of the bucket; '' for the stack's.
        revision: Any git name of a commit; '' for the checked-out one, with nothing uncommitted.
        model: A model artefact, local or in S3; '' for the deployed one.
        region: Region of the bucket; '' for boto3's default.
        stack: Name of the lake's stack, whose outputs become the startup script; '' to leave it as it is.
        settings: A file of variables that override the stack's in the startup script; '' for none.
        environment: Name of the managed Airflow to update; '' for any other Airflow.
        wait_minutes: Timeout of the update.
    """

    bucket: str = ""
    revision: str = ""
    model: str = ""
    region: str = ""
    stack: str = ""
    settings: str = ""
    environment: str = ""
    wait_minutes: float = WAIT_MINUTES

    def __post_init__(self) -> None:
        name = self.bucket.removeprefix("s3://").rstrip("/")
        if "/" in name or not (name or self.stack):
            raise OrchardError(
                f"the bucket '{self.bucket}'",
                rule="it must be the name of a bucket; or name its stack",
                remedy="Name the lake's: --bucket=NAME or --stack=NAME; BUCKET=NAME or STACK=NAME with make",
            )
        region = self.region or boto3.session.Session().region_name
        if not region:
            raise OrchardError(
                "no region is set",
                rule="a deployment needs one",
                remedy="Set the region of EMR: --region=eu-west-3, or REGION=eu-west-3 with make",
            )
        object.__setattr__(self, "bucket", name)
        object.__setattr__(self, "region", region)

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=self.region)


@dataclass(frozen=True)
class Deployment:
    """The plan of a deployment: changes to a bucket and to managed Airflow.

    Args:
        environment: Managed Airflow before the deployment; None if none is named.
    """

    revision: str
    region: str
    model: str
    bucket: Bucket
    changes: list[Change]
    environment: Environment | None = None
    wait_minutes: float = WAIT_MINUTES

    def describe(self) -> Iterator[str]:
        """Yield the plan for people."""
        to = f"s3://{self.bucket.name} in {self.region}"
        yield f"revision {self.revision} to {to}, with the model {self.model}"
        yield from describe_changes(self.changes)
        if self.environment is not None:
            pinned = self.list_updates()
            kind = "update" if pinned else "same"
            yield f"{kind:<7} {f'managed Airflow {self.environment.name}':<34} {', '.join(pinned)}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """Return the plan for programs."""
        changes = [
            {"kind": change.kind, "key": change.key, "size": change.item.size if change.item else None}
            for change in self.changes
        ]
        plan: dict[str, Any] = {
            "revision": self.revision,
            "bucket": self.bucket.name,
            "region": self.region,
            "model": self.model,
            "changes": changes,
        }
        if self.environment is not None:
            plan["environment"] = {"name": self.environment.name, "updates": self.list_updates()}
        return plan

    def list_updates(self) -> list[str]:
        """Return the pinned objects that managed Airflow needs in another version."""
        if self.environment is None:
            return []
        changed = self._list_changed()
        there = {key: self.bucket.version_of(key) for key in PINNED if key not in changed}
        differing = self.environment.list_differing(there)
        return [key for key in PINNED if key in changed or key in differing]

    def carry_out(self, tell: Tell) -> "Outcome":
        """Carry out the plan. Managed Airflow's DAGs come last, so a failed update leaves them unchanged.

        Raises:
            OrchardError: if managed Airflow cannot be updated.
        """
        if self.environment is None:
            self.bucket.carry_out(self.changes)
            return Outcome(self)
        dags = [change for change in self.changes if change.key.startswith(f"{DAGS}/")]
        self.bucket.carry_out([change for change in self.changes if change not in dags])
        versions = {key: self.bucket.version_of(key) for key in PINNED}
        now = self.environment
        if now.list_differing(versions):
            now = now.update(versions, self.wait_minutes, tell)
        self.bucket.carry_out(dags)
        return Outcome(self, now, versions)

    def describe_interruption(self) -> str:
        """Return the message after Ctrl-C: what is done, and what continues."""
        if self.environment is None:
            return "interrupted; uploaded objects stay, and the same command does the rest"
        return (
            f"interrupted; an update of managed Airflow {self.environment.name} that has begun continues in "
            "AWS. Once it is AVAILABLE, the same command does the rest"
        )

    def _list_changed(self) -> set[str]:
        return {change.key for change in self.changes if change.kind != "same"}


@dataclass(frozen=True)
class Outcome:
    """The result of a deployment.

    Args:
        environment: Managed Airflow now; None if none is named.
        versions: The versions of the pinned objects that it was given.
    """

    deployment: Deployment
    environment: Environment | None = None
    versions: Mapping[str, str | None] | None = None

    def describe(self) -> Iterator[str]:
        """Yield lines about what was done, and what is left to do by hand."""
        changed = {change.key for change in self.deployment.changes if change.kind != "same"}
        count = f"{len(changed)} object{'s' if len(changed) != 1 else ''} changed."
        if self.environment is not None:
            yield f"{count} A run that has started keeps its code; the next one uses the new code."
            yield self.environment.describe()
            pins = ", ".join(f"{key} {version}" for key, version in self._pins().items())
            yield f"live: revision {self.deployment.revision}, {pins}"
        elif changed & PINNED.keys():
            versions = {key: self.deployment.bucket.version_of(key) for key in PINNED}
            yield f"{count} Managed Airflow needs the new versions of some; --environment does that:"
            yield format_command("<environment>", build_update(versions))
        else:
            yield f"{count} A run that has started keeps its code; the next one uses the new code."

    def to_json(self) -> dict[str, Any]:
        """Return what managed Airflow runs; {} if none is named."""
        if self.environment is None:
            return {}
        live = {
            "environment": self.environment.name,
            "status": self.environment.found["Status"],
            "airflow_version": self.environment.found["AirflowVersion"],
            "url": self.environment.url,
            "revision": self.deployment.revision,
            "versions": self._pins(),
        }
        return {"live": live}

    def _pins(self) -> dict[str, str]:
        return {key: version for key, version in (self.versions or {}).items() if version}


def plan_deployment(request: Request) -> Deployment:
    """Return the plan of a deployment. Raises OrchardError if it must not be carried out."""
    revision = read_revision(ROOT, request.revision)
    stack = read_stack(request.client("cloudformation"), request.stack) if request.stack else None
    bucket = Bucket(_choose_bucket(request, stack), request.client("s3"))
    bucket.validate_region(request.region)
    environment = _find_environment(request, bucket, revision)
    deployed = bucket.deployed()
    model = find_model(request.model, bucket.name, deployed.get("environment", {}).get("ORCHARD_MODEL"))
    if not model.files:
        bucket.validate_object_exists(f"{model.uri}/{CARD}")
    script = _build_startup_script(request, stack, bucket, model.uri)
    wheels = collect_wheels(revision.files["bootstrap/requirements.txt"].decode(), WHEELS)
    plan = build_plan(revision, wheels, model, bucket.name, deployed)
    changes = bucket.compare(replace(plan, items=(*script, *plan.items)))
    return Deployment(
        revision.name, request.region, model.uri, bucket, changes, environment, request.wait_minutes
    )


def _choose_bucket(request: Request, stack: LakeStack | None) -> str:
    if stack is None:
        return request.bucket
    if request.bucket not in ("", stack.bucket):
        raise OrchardError(
            f"the bucket {request.bucket}",
            rule=f"the bucket of the stack {stack.name} is {stack.bucket}",
            remedy="Use --stack alone, or another stack",
        )
    return stack.bucket


def _find_environment(request: Request, bucket: Bucket, revision: Revision) -> Environment | None:
    if not request.environment:
        return None
    environment = find_environment(request.client("mwaa"), request.environment)
    environment.validate_bucket(bucket.name)
    environment.validate_status()
    bucket.validate_versioning()
    environment.validate_airflow_version(revision.read(*AIRFLOW_REQUIREMENTS).decode())
    return environment


def _build_startup_script(
    request: Request, stack: LakeStack | None, bucket: Bucket, model: str
) -> tuple[Item, ...]:
    """Return the startup script; none without a stack or settings, and the existing one stays."""
    if stack is None and not request.settings:
        return ()
    there = parse_variables(bucket.read(KEY).decode(), f"s3://{bucket.name}/{KEY}")
    given = read_settings(Path(request.settings).expanduser()) if request.settings else {}
    variables = merge_settings(stack.variables if stack else there, given, there)
    validate_variables(variables, model)
    return (Item(KEY, KEY, build_startup_script(variables)),)
