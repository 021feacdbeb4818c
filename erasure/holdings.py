"""All versions of the objects in a lake: a versioned bucket keeps old versions after a deletion."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from orchard.lake.objects import bucket_and_key, local_path
from orchard.lake.storage_files import FileStorage
from orchard.settings.aws import Access
from orchard.settings.hooks import s3_hook
from orchard_jobs.errors import OrchardError

MOST_AT_ONCE = 1000
"""Largest number of versions that S3 deletes in one request."""


class Held(NamedTuple):
    """One version of an object.

    Args:
        version: S3's version id; '' for a file.
        size: In bytes; 0 for a delete marker.
        is_current: Whether it is the version that readers get.
        is_marker: Whether it is a delete marker.
    """

    uri: str
    version: str
    size: int
    is_current: bool
    is_marker: bool = False


class Holdings(Protocol):
    """Lists, reads and deletes objects in all versions."""

    def below(self, folder: str) -> list[Held]:
        """Return all versions of all objects below a folder."""

    def of(self, uri: str) -> list[Held]:
        """Return all versions of one object."""

    def read(self, held: Held) -> bytes:
        """Return the content of a version; raise OrchardError for anything but a regular file."""

    def erase(self, held: Collection[Held]) -> None:
        """Delete versions permanently, current ones last, so that no old version becomes visible."""


def open_holdings(folder: str, access: Access) -> Holdings:
    """Return the holdings for the storage of a folder."""
    return (
        S3Holdings(s3_hook(access).conn) if folder.startswith("s3://") else FileHoldings(local_path(folder))
    )


class FileHoldings:
    """Files have no versions. Empty folders below ``root`` are deleted too. Links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._storage = FileStorage(root)

    def below(self, folder: str) -> list[Held]:
        found = self._storage.objects(folder)
        return [Held(f"{folder}/{one.name}", "", one.size, is_current=True) for one in found]

    def of(self, uri: str) -> list[Held]:
        path = local_path(uri)
        return [Held(uri, "", path.stat().st_size, is_current=True)] if path.is_file() else []

    def read(self, held: Held) -> bytes:
        return self._storage.read(held.uri).data

    def erase(self, held: Collection[Held]) -> None:
        for one in held:
            path = local_path(one.uri)
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self._root or self._root not in folder.parents or any(folder.iterdir()):
                    break
                folder.rmdir()


class S3Holdings:
    """Objects in S3. In a bucket without versioning, each has one version with the id ``null``."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def below(self, folder: str) -> list[Held]:
        bucket, key = bucket_and_key(folder)
        return list(self._list(bucket, f"{key}/"))

    def of(self, uri: str) -> list[Held]:
        bucket, key = bucket_and_key(uri)
        return [held for held in self._list(bucket, key) if held.uri == uri]

    def read(self, held: Held) -> bytes:
        bucket, key = bucket_and_key(held.uri)
        data: bytes = self._client.get_object(Bucket=bucket, Key=key, VersionId=held.version)["Body"].read()
        return data

    def erase(self, held: Collection[Held]) -> None:
        for is_current in (False, True):
            by_bucket = defaultdict[str, list[dict[str, str]]](list)
            for one in held:
                if one.is_current is is_current:
                    bucket, key = bucket_and_key(one.uri)
                    by_bucket[bucket].append({"Key": key, "VersionId": one.version})
            for bucket, versions in by_bucket.items():
                for start in range(0, len(versions), MOST_AT_ONCE):
                    self._delete(bucket, versions[start : start + MOST_AT_ONCE])

    def _list(self, bucket: str, prefix: str) -> Iterator[Held]:
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        try:
            for page in pages:
                for kind in ("Versions", "DeleteMarkers"):
                    for item in page.get(kind, ()):
                        uri, size = f"s3://{bucket}/{item['Key']}", item.get("Size", 0)
                        is_marker = kind == "DeleteMarkers"
                        yield Held(uri, item["VersionId"], size, item["IsLatest"], is_marker)
        except ClientError as error:
            raise _denied(f"cannot list s3://{bucket}/{prefix}", error) from error

    def _delete(self, bucket: str, versions: list[dict[str, str]]) -> None:
        try:
            answer = self._client.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        except ClientError as error:
            raise _denied(f"cannot delete in s3://{bucket}", error) from error
        if errors := answer.get("Errors"):
            first = errors[0]
            uri = f"s3://{bucket}/{first['Key']}"
            raise OrchardError(
                f"S3 has not deleted {len(errors)} of {len(versions)} versions, such as {uri}: "
                f"{first['Code']}",
                rule="a purge must delete all versions",
                remedy="allow yourself s3:DeleteObjectVersion there, and purge again",
            )


def _denied(what: str, error: ClientError) -> OrchardError:
    return OrchardError(
        f"{what}: {error.response['Error']['Code']}",
        rule="a purge uses your own credentials, because no role of the stack may delete versions",
        remedy="allow yourself s3:ListBucketVersions, s3:GetObjectVersion and s3:DeleteObjectVersion there",
    )
