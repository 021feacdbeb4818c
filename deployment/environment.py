"""Managed Airflow: its pinned object versions, and its update to the deployed ones."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from orchard_jobs.errors import OrchardError, first_line

PINNED = {"plugins.zip": "Plugins", "requirements.txt": "Requirements", "startup.sh": "StartupScript"}
"""The objects that managed Airflow pins by version, and the API's names for them."""

DAGS = "dags"
UPDATABLE = ("AVAILABLE", "UPDATE_FAILED")
"""After a failed update, an environment is unchanged, and ready for another one."""

FAILED = ("UPDATE_FAILED", "UNAVAILABLE", "CREATE_FAILED", "DELETING", "DELETED")
POLL_SECONDS = 30.0

Tell = Callable[[str], None]


def list_members(key: str) -> tuple[str, str]:
    """Return the API's names for the path and the version of a pinned object."""
    return f"{PINNED[key]}S3Path", f"{PINNED[key]}S3ObjectVersion"


def find_constrained_version(requirements: str) -> str:
    """Return the Airflow version whose constraints the requirements name; '' if none."""
    return next(iter(re.findall(r"/constraints-([\d.]+)/", requirements)), "")


def build_update(versions: Mapping[str, str | None]) -> dict[str, str]:
    """Return the arguments of an update: path and version of each existing object."""
    update: dict[str, str] = {}
    for key, version in versions.items():
        if version:
            path_member, version_member = list_members(key)
            update |= {path_member: key, version_member: version}
    return update


def format_command(name: str, update: Mapping[str, str]) -> str:
    """Return an update as an AWS CLI command."""
    options = " ".join(f"--{xform_name(member, '-')} {value}" for member, value in update.items())
    return f"aws mwaa update-environment --name {name} {options}"


@dataclass(frozen=True)
class Environment:
    """An environment as get-environment returns it, with its boto3 client."""

    client: Any
    found: Mapping[str, Any]

    @property
    def name(self) -> str:
        name: str = self.found["Name"]
        return name

    @property
    def url(self) -> str:
        """URL of the UI. AWS returns the host only."""
        url: str = self.found.get("WebserverUrl", "")
        return url if "://" in url or not url else f"https://{url}"

    @property
    def versions(self) -> dict[str, str]:
        """Versions by pinned object, of those that are set."""
        pins = {key: self.found.get(list_members(key)[1]) for key in PINNED}
        return {key: version for key, version in pins.items() if version}

    def validate_bucket(self, bucket: str) -> None:
        """Raise OrchardError unless the environment reads this bucket and its ``dags/``."""
        its_own = self.found["SourceBucketArn"].rpartition(":")[2]
        if its_own != bucket:
            raise OrchardError(
                f"managed Airflow {self.name} reads the bucket {its_own}",
                rule=f"the deployment is for {bucket}",
                remedy=f"Use --bucket={its_own}, or the environment of {bucket}",
            )
        folder = self.found.get("DagS3Path", DAGS).strip("/")
        if folder != DAGS:
            raise OrchardError(
                f"managed Airflow {self.name} reads its DAGs from {folder}/",
                rule=f"they are deployed to {DAGS}/",
                remedy=f"`aws mwaa update-environment --name {self.name} --dag-s3-path {DAGS}`",
            )

    def validate_status(self) -> None:
        """Raise OrchardError unless the environment can be updated now."""
        status = self.found["Status"]
        if status not in UPDATABLE:
            wait = f"Deploy again once {self._status_command()} says AVAILABLE"
            raise OrchardError(
                f"managed Airflow {self.name} is {status}",
                rule=f"it can be updated only if it is {' or '.join(UPDATABLE)}; nothing was uploaded",
                remedy="Create it again: the events of its stack say what failed"
                if status in FAILED
                else wait,
            )

    def validate_airflow_version(self, requirements: str) -> None:
        """Raise OrchardError unless the requirements are for its Airflow version."""
        version, wanted = self.found["AirflowVersion"], find_constrained_version(requirements)
        if wanted not in ("", version):
            raise OrchardError(
                f"managed Airflow {self.name} has Airflow {version}",
                rule=f"the requirements of this revision are for {wanted}",
                remedy=f"Upgrade it to Airflow {wanted}, or deploy a revision for {version}: --revision=HASH",
            )

    def list_differing(self, versions: Mapping[str, str | None]) -> list[str]:
        """Return the pinned objects that the environment has in another version, or not at all."""
        return [
            key
            for key, version in versions.items()
            if version
            and any(self.found.get(name) != value for name, value in build_update({key: version}).items())
        ]

    def update(self, versions: Mapping[str, str | None], wait_minutes: float, tell: Tell) -> "Environment":
        """Update it to these versions, wait until it has them, and return the updated environment.

        Running tasks finish before their worker is replaced.

        Raises:
            OrchardError: if AWS refuses the update, it fails, or it takes longer.
        """
        update = build_update(versions)
        try:
            self.client.update_environment(Name=self.name, WorkerReplacementStrategy="GRACEFUL", **update)
        except ClientError as error:
            raise OrchardError(
                f"managed Airflow {self.name} was not updated",
                rule=first_line(error).rstrip("."),
                remedy="Correct what AWS names, then deploy again: its DAGs are unchanged",
            ) from None
        return self._wait(update, wait_minutes, tell)

    def describe(self) -> str:
        """Return a one-line summary."""
        return (
            f"{self.name} is {self.found['Status']} with Airflow {self.found['AirflowVersion']} at {self.url}"
        )

    def _wait(self, update: Mapping[str, str], wait_minutes: float, tell: Tell) -> "Environment":
        end = monotonic() + wait_minutes * 60
        told = ""
        while True:
            now = find_environment(self.client, self.name)
            status, last = now.found["Status"], now.found.get("LastUpdate", {})
            if status != told:
                tell(f"{self.name} is {status}")
                told = status
            is_new = last.get("CreatedAt") != self.found.get("LastUpdate", {}).get("CreatedAt")
            if is_new and (status in FAILED or (status == "AVAILABLE" and last.get("Status") == "FAILED")):
                raise self._explain_failure(status, last.get("Error", {}))
            if (
                status == "AVAILABLE"
                and last.get("Status") != "PENDING"
                and update.items() <= now.found.items()
            ):
                return now
            if monotonic() >= end:
                raise OrchardError(
                    f"managed Airflow {self.name} is {status} after {wait_minutes:g} minutes",
                    rule="the update continues in AWS, and its DAGs are unchanged",
                    remedy=f"Deploy again once {self._status_command()} says AVAILABLE",
                )
            sleep(POLL_SECONDS)

    def _explain_failure(self, status: str, error: Mapping[str, str]) -> OrchardError:
        said = ": ".join(text for text in (error.get("ErrorCode"), error.get("ErrorMessage")) if text)
        return OrchardError(
            f"the update of managed Airflow {self.name} failed, and it is {status}",
            rule=said.rstrip(".") or "AWS gives no reason",
            remedy=f"Its DAGs are unchanged. Read its log groups, airflow-{self.name}-*; then deploy "
            "again, or deploy the previous revision: --revision=HASH",
        )

    def _status_command(self) -> str:
        return f"`aws mwaa get-environment --name {self.name} --query Environment.Status`"


def find_environment(client: Any, name: str) -> Environment:
    """Look up an environment through a boto3 client.

    Raises:
        OrchardError: if there is none with this name in the region.
    """
    try:
        return Environment(client, client.get_environment(Name=name)["Environment"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        region = client.meta.region_name
        raise OrchardError(
            f"managed Airflow {name}",
            rule=f"there is none in {region}",
            remedy=f"Correct --environment or --region: `aws mwaa list-environments --region {region}`",
        ) from None
