"""Whole small objects at ``file://`` and ``s3://`` URIs, as Airflow's side reads and writes them.

After the scheme comes the plain path or key: nothing is percent-decoded, because Hadoop's ``Path``
does not decode either and both must name the same file.
"""

import fcntl
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

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


class Storage(Protocol):
    """Reads raise FileNotFoundError; writes are seen whole or not at all."""

    def read(self, uri: str) -> Versioned: ...

    def open(self, uri: str) -> BinaryIO:
        """Return an object to read parts of, without the rest of it."""

    def write(self, uri: str, data: bytes) -> None: ...

    def replace(self, uri: str, data: bytes, version: str) -> None:
        """Write only if the object still has ``version``; raise OrchardError if it has not."""

    def delete(self, uri: str) -> None:
        """Delete an object; one that is not there is no error."""

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

    def open(self, uri: str) -> BinaryIO:
        return local_path(uri).open("rb")

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

    def open(self, uri: str) -> BinaryIO:
        bucket, key = bucket_and_key(uri)
        try:
            found = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise FileNotFoundError(uri) from error
            raise
        return cast(BinaryIO, _S3Object(self._client, bucket, key, found["ETag"], found["ContentLength"]))

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

    def names(self, uri: str) -> list[str]:
        bucket, key = bucket_and_key(uri)
        prefix = f"{key}/" if key else ""
        paginator = self._client.get_paginator("list_objects_v2")
        pages = paginator.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
        return sorted(name for name in (key.removeprefix(prefix) for key in keys) if name)


class _S3Object(io.RawIOBase):
    """One version of an object; each read is a GET of that range."""

    def __init__(self, client: Any, bucket: str, key: str, etag: str, size: int) -> None:
        super().__init__()
        self._get = partial(client.get_object, Bucket=bucket, Key=key, IfMatch=etag)
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        data = self._get(Range=f"bytes={self._at}-{end - 1}")["Body"].read()
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


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
