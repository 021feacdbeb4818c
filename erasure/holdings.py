"""All that there is of an object: in a versioned bucket its old versions too, which deletions keep."""

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
"""Versions that S3 deletes in one request."""


class Held(NamedTuple):
    """One version of an object.

    Args:
        version: S3's id of it; '' for a file.
        size: In bytes; 0 for the marker that a deletion has left.
        is_current: Whether it is what a reader gets.
        is_marker: Whether it is such a marker.
    """

    uri: str
    version: str
    size: int
    is_current: bool
    is_marker: bool = False


class Holdings(Protocol):
    """Everything that is held, old versions too."""

    def below(self, folder: str) -> list[Held]:
        """Return all versions of all objects below a folder."""

    def of(self, uri: str) -> list[Held]:
        """Return all versions of one object."""

    def read(self, held: Held) -> bytes:
        """Return a version whole; raise OrchardError for what is no plain file."""

    def erase(self, held: Collection[Held]) -> None:
        """Delete versions for good, those that are current last: none that is old comes to light."""


def holdings_of(folder: str, access: Access) -> Holdings:
    """Return those of a folder's kind of storage."""
    return (
        S3Holdings(s3_hook(access).conn) if folder.startswith("s3://") else FileHoldings(local_path(folder))
    )


class FileHoldings:
    """Files have no versions. Folders below ``root`` that get empty go too. No link is followed."""

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
    """Objects in S3. A bucket without versions has one of each, whose id is ``null``."""

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
                f"S3 has not deleted {len(errors)} of {len(versions)} versions, as {uri}: {first['Code']}",
                rule="what is purged goes with all of its versions",
                remedy="allow yourself s3:DeleteObjectVersion there, and purge again",
            )


def _denied(what: str, error: ClientError) -> OrchardError:
    return OrchardError(
        f"{what}: {error.response['Error']['Code']}",
        rule="purging is done with credentials of your own: no role of the stack may delete versions",
        remedy="allow yourself s3:ListBucketVersions, s3:GetObjectVersion and s3:DeleteObjectVersion there",
    )
