"""The lake's bucket: checks it, compares its objects with a plan, and uploads the rest."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment.plan import STAMP, Item, Plan
from orchard_jobs.errors import OrchardError


@dataclass(frozen=True)
class Change:
    """A change to one object.

    Args:
        kind: ``new``, ``change``, ``same`` or ``remove``.
        item: The object; None where it is removed.
    """

    kind: str
    key: str
    item: Item | None = None


@dataclass(frozen=True)
class Bucket:
    """An S3 bucket, through a boto3 client."""

    name: str
    client: Any

    def validate_region(self, region: str) -> None:
        """Check that the bucket is in the region of EMR and Airflow.

        Raises:
            OrchardError: if it is elsewhere, or cannot be reached.
        """
        try:
            found = self.client.head_bucket(Bucket=self.name)["BucketRegion"]
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            why = {404: "there is no such bucket", 403: "these credentials may not use it"}.get(
                status, str(error)
            )
            remedy = "`infra/` makes one; its output names it"
            raise OrchardError(f"the bucket {self.name}", rule=why, remedy=remedy) from None
        if found != region:
            raise OrchardError(
                f"the bucket {self.name} is in {found}, and {region} is asked for",
                rule="nodes would read across regions, and images would leave theirs",
                remedy=f"Use a bucket in that region, or the region {found}",
            )

    def deployed(self) -> dict[str, Any]:
        """Return the content of deployed.json, {} if nothing is deployed."""
        try:
            stamp: dict[str, Any] = json.loads(self._get(STAMP))
        except FileNotFoundError:
            return {}
        return stamp

    def read(self, key: str) -> bytes:
        """Return the content of an object; b'' if it does not exist."""
        try:
            return self._get(key)
        except FileNotFoundError:
            return b""

    def validate_object_exists(self, uri: str) -> None:
        """Raise OrchardError unless there is an object at an ``s3://`` URI, in any bucket."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            self.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            why = error.response["Error"]["Message"]
            raise OrchardError(uri, rule=why, remedy="Use an existing model artefact") from None

    def compare(self, plan: Plan) -> list[Change]:
        """Return the necessary changes, in order.

        Raises:
            OrchardError: if an immutable object exists with different content.
        """
        changes = [self._compare(item) for item in plan.items]
        final = {item.key for item in plan.items if item.is_final}
        for key in (change.key for change in changes if change.kind == "change" and change.key in final):
            raise OrchardError(
                f"s3://{self.name}/{key} exists with different bytes",
                rule="objects that a run may be reading never change, so nothing was uploaded",
                remedy="Find out who wrote it; remove its folder once no run uses it",
            )
        return [*changes, *(Change("remove", key) for key in plan.removed)]

    def carry_out(self, changes: list[Change]) -> None:
        """Upload and delete objects. Unchanged ones are left alone."""
        for change in changes:
            if change.item is None:
                self.client.delete_object(Bucket=self.name, Key=change.key)
            elif change.kind != "same":
                self._put(change.item)

    def version_of(self, key: str) -> str | None:
        """Return an object's version id; None if the bucket is unversioned or has no such object."""
        try:
            version: str | None = self.client.head_object(Bucket=self.name, Key=key).get("VersionId")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return None
        return None if version == "null" else version

    def validate_versioning(self) -> None:
        """Raise OrchardError unless the bucket is versioned, which managed Airflow requires."""
        status = self.client.get_bucket_versioning(Bucket=self.name).get("Status")
        if status != "Enabled":
            raise OrchardError(
                f"the bucket {self.name} keeps no versions",
                rule="managed Airflow refers to plugins and requirements by version",
                remedy=f"`aws s3api put-bucket-versioning --bucket {self.name} "
                "--versioning-configuration Status=Enabled`",
            )

    def _compare(self, item: Item) -> Change:
        try:
            head = self.client.head_object(Bucket=self.name, Key=item.key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return Change("new", item.key, item)
        is_same = head["ContentLength"] == item.size and self._digest(item.key, head) == _digest(item.read())
        return Change("same" if is_same else "change", item.key, item)

    def _digest(self, key: str, head: Mapping[str, Any]) -> str:
        """Return S3's digest, or compute it: objects uploaded by others may have none, or one of parts."""
        known = head.get("ChecksumSHA256", "-")
        return _digest(self._get(key)) if "-" in known else str(known)

    def _put(self, item: Item) -> None:
        data = item.read()
        condition = {"IfNoneMatch": "*"} if item.is_final else {}
        # S3 verifies and stores it. With KMS encryption, the ETag is not a digest.
        checksum = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _digest(data)}
        self.client.put_object(Bucket=self.name, Key=item.key, Body=data, **checksum, **condition)

    def _get(self, key: str) -> bytes:
        try:
            data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            raise FileNotFoundError(key) from None
        return data


def describe_changes(changes: list[Change]) -> Iterator[str]:
    """Yield a line per group of objects with the same kind of change, and one per removed object."""
    groups: dict[tuple[str, str], list[int]] = {}
    for change in changes:
        sizes = groups.setdefault((change.kind, change.item.group if change.item else change.key), [])
        sizes.extend([change.item.size] if change.item else [])
    yield from (_line(kind, group, sizes) for (kind, group), sizes in groups.items())


def _line(kind: str, group: str, sizes: list[int]) -> str:
    if not sizes:
        return f"{kind:<7} {group}"
    files = f"{len(sizes)} file{'s' if len(sizes) > 1 else ''}"
    return f"{kind:<7} {group:<34} {files:>9} {sum(sizes) / 1e6:9.2f} MB"


def _digest(data: bytes) -> str:
    """Return a SHA-256 as S3 writes it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
