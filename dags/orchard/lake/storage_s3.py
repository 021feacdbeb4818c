"""S3 objects as objects of the lake."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Self, cast

from botocore.exceptions import ClientError

from orchard.lake.objects import ABSENT, Stored, Versioned, bucket_and_key, changed, refuse_large
from orchard.settings.aws import Access
from orchard.settings.hooks import s3_hook


class S3Storage:
    """Objects in S3. One PUT is atomic, and conditional by ETag."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def of(cls, access: Access) -> Self:
        return cls(s3_hook(access).conn)

    def read(self, uri: str, at_most: int | None = None) -> Versioned:
        bucket, key = bucket_and_key(uri)
        with _raising_file_not_found(uri):
            response = self._client.get_object(Bucket=bucket, Key=key)
        refuse_large(uri, response["ContentLength"], at_most)
        return Versioned(response["Body"].read(), response["ETag"])

    def open(self, uri: str) -> BinaryIO:
        bucket, key = bucket_and_key(uri)
        with _raising_file_not_found(uri):
            found = self._client.head_object(Bucket=bucket, Key=key)
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
            # S3 answers 409 while another conditional PUT of the same key is in progress.
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise
            if not self._has(uri, data):
                raise changed(uri) from error

    def _has(self, uri: str, data: bytes) -> bool:
        """Whether the object is what we wrote: boto3 retries a PUT whose response is lost, and fails."""
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
        """Return the prefix of the keys in the folder ``uri``, and the pages of their listing."""
        bucket, key = bucket_and_key(uri)
        prefix = f"{key}/" if key else ""
        paginator = self._client.get_paginator("list_objects_v2")
        return prefix, paginator.paginate(Bucket=bucket, Prefix=prefix, **request)


@contextmanager
def _raising_file_not_found(uri: str) -> Iterator[None]:
    """Raise FileNotFoundError for a missing object, which each S3 operation reports differently."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise FileNotFoundError(uri) from error
        raise


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
