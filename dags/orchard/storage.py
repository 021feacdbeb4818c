"""Whole small objects at ``file://`` and ``s3://`` URIs, as Airflow's side reads and writes them.

After the scheme comes the plain path or key: nothing is percent-decoded, because Hadoop's ``Path``
does not decode either and both must name the same file.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.exceptions import ClientError

from orchard.settings import Access
from orchard_jobs.errors import OrchardError

ABSENT = ""
"""The version of an object that does not exist."""


class Versioned(NamedTuple):
    """An object's bytes and a token that changes with them."""

    data: bytes
    version: str


class Stored(NamedTuple):
    """An object below a folder: its path in there, its bytes, and when it was written."""

    name: str
    size: int
    modified: datetime


class Storage(Protocol):
    """Reads raise FileNotFoundError; writes are seen whole or not at all."""

    def read(self, uri: str) -> Versioned: ...

    def write(self, uri: str, data: bytes) -> None: ...

    def replace(self, uri: str, data: bytes, version: str) -> None:
        """Write only if the object still has ``version``; raise OrchardError if it has not."""

    def delete(self, uri: str) -> None:
        """Delete an object; one that is not there is no error."""

    def delete_folder(self, uri: str) -> None:
        """Delete every object below the folder ``uri``; one that is not there is no error."""

    def objects(self, uri: str) -> list[Stored]:
        """Return every object below the folder ``uri``, however deep, hidden ones too."""

    def folders(self, uri: str) -> list[str]:
        """Return the names of the folders directly in the folder ``uri``, sorted."""

    def names(self, uri: str) -> list[str]:
        """Return the names of the objects directly in the folder ``uri``, sorted; none if it is absent."""


def storage_for(uri: str, access: Access) -> Storage:
    """Return the storage of ``uri``'s scheme."""
    return S3Storage(S3Hook(**access.hook).conn) if uri.startswith("s3://") else FileStorage()


def local_path(uri: str) -> Path:
    """Return the path that a ``file://`` URI names."""
    return Path(uri.removeprefix("file://"))


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Split an ``s3://`` URI; the key is '' for a bare bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class FileStorage:
    """Files. A write goes to a hidden file beside its target, then takes its name."""

    def read(self, uri: str) -> Versioned:
        data = local_path(uri).read_bytes()
        return Versioned(data, hashlib.sha256(data).hexdigest())

    def write(self, uri: str, data: bytes) -> None:
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp gives 0600; the jobs may run as another user than Airflow.
            Path(staged).chmod(0o644)
            Path(staged).replace(path)
        except BaseException:
            Path(staged).unlink(missing_ok=True)
            raise

    def replace(self, uri: str, data: bytes, version: str) -> None:
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            if (self.read(uri).version if path.exists() else ABSENT) != version:
                raise _changed(uri)
            self.write(uri, data)

    def delete(self, uri: str) -> None:
        local_path(uri).unlink(missing_ok=True)

    def delete_folder(self, uri: str) -> None:
        if local_path(uri).exists():
            shutil.rmtree(local_path(uri))

    def objects(self, uri: str) -> list[Stored]:
        root = local_path(uri)
        files = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
        return sorted(_describe(path, root) for path in files)

    def folders(self, uri: str) -> list[str]:
        folder = local_path(uri)
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def names(self, uri: str) -> list[str]:
        folder = local_path(uri)
        if not folder.is_dir():
            return []
        return sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


class S3Storage:
    """Objects in S3. One PUT is atomic, and conditional by ETag."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, uri: str) -> Versioned:
        bucket, key = bucket_and_key(uri)
        try:
            response = self._client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise FileNotFoundError(uri) from error
            raise
        return Versioned(response["Body"].read(), response["ETag"])

    def write(self, uri: str, data: bytes) -> None:
        bucket, key = bucket_and_key(uri)
        self._client.put_object(Bucket=bucket, Key=key, Body=data)

    def replace(self, uri: str, data: bytes, version: str) -> None:
        bucket, key = bucket_and_key(uri)
        condition = {"IfNoneMatch": "*"} if version == ABSENT else {"IfMatch": version}
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=data, **condition)
        except ClientError as error:
            # 409 is the answer while another conditional PUT of the same key is under way.
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise
            if not self._has(uri, data):
                raise _changed(uri) from error

    def _has(self, uri: str, data: bytes) -> bool:
        """Whether it is as we wrote it: boto3 repeats a PUT whose answer was lost, and then is refused."""
        try:
            return self.read(uri).data == data
        except FileNotFoundError:
            return False

    def delete(self, uri: str) -> None:
        bucket, key = bucket_and_key(uri)
        self._client.delete_object(Bucket=bucket, Key=key)

    def delete_folder(self, uri: str) -> None:
        for found in self.objects(uri):
            self.delete(f"{uri}/{found.name}")

    def objects(self, uri: str) -> list[Stored]:
        prefix, pages = self._list(uri)
        found = (item for page in pages for item in page.get("Contents", ()))
        return [Stored(i["Key"].removeprefix(prefix), i["Size"], i["LastModified"]) for i in found]

    def folders(self, uri: str) -> list[str]:
        prefix, pages = self._list(uri, Delimiter="/")
        found = (item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ()))
        return sorted(name.removeprefix(prefix).rstrip("/") for name in found)

    def names(self, uri: str) -> list[str]:
        prefix, pages = self._list(uri, Delimiter="/")
        keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
        return sorted(name for name in (key.removeprefix(prefix) for key in keys) if name)

    def _list(self, uri: str, **request: str) -> tuple[str, Iterator[dict[str, Any]]]:
        """Return what the keys in the folder ``uri`` begin with, and the pages of a listing of them."""
        bucket, key = bucket_and_key(uri)
        prefix = f"{key}/" if key else ""
        paginator = self._client.get_paginator("list_objects_v2")
        return prefix, paginator.paginate(Bucket=bucket, Prefix=prefix, **request)


def _describe(path: Path, root: Path) -> Stored:
    found = path.lstat()
    return Stored(
        path.relative_to(root).as_posix(), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)
    )


def _changed(uri: str) -> OrchardError:
    return OrchardError(
        f"{uri} has changed since it was read",
        rule="one run publishes at a time",
        remedy="clear this run's task 'sense', so that it starts from what the other run published",
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
