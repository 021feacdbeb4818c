"""Files below a cluster's LogUri. Code on the cluster can write them, so reads have size limits."""

import gzip
import re
import zlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any, cast

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.exceptions import BotoCoreError, ClientError

KEPT_BYTES = 1 << 18
"""Bytes to keep of the end of a file."""

MOST_BYTES = 1 << 30
"""Maximum decompressed bytes to read; the rest of a larger file is ignored."""

MOST_NAMES = 10_000
"""Maximum names in one folder."""

PIECE = 1 << 20


def read_end(uri: str, hook: Mapping[str, Any]) -> str | None:
    """Return the end of a log, which EMR uploads gzipped; None if it does not exist yet.

    ``hook`` holds the arguments of S3Hook.
    """
    for name in (f"{uri}.gz", uri):
        try:
            with closing(_open(name, hook)) as stream:
                return _end_of(stream, is_gzip=name.endswith(".gz")).decode(errors="replace")
        except (OSError, ClientError, BotoCoreError):
            continue  # missing, or not readable: the caller reports the expected location
    return None


def list_folders(uri: str, hook: Mapping[str, Any]) -> list[str]:
    """Return the names of the folders directly in a folder; empty if it is missing or not readable."""
    try:
        scheme, bucket, key = _parts(uri)
        if scheme == "file":
            return [path.name for path in Path(key).iterdir()]
        lists = _client(hook).get_paginator("list_objects_v2")
        most = {"MaxItems": MOST_NAMES}
        pages = lists.paginate(Bucket=bucket, Prefix=f"{key}/", Delimiter="/", PaginationConfig=most)
        found = (common["Prefix"] for page in pages for common in page.get("CommonPrefixes", ()))
        return [prefix.rstrip("/").rpartition("/")[2] for prefix in found]
    except (OSError, ClientError, BotoCoreError):
        return []


def _end_of(stream: IO[bytes], *, is_gzip: bool) -> bytes:
    # Not read(): it discards everything before the point where a file is truncated.
    read = gzip.GzipFile(fileobj=stream).read1 if is_gzip else stream.read
    end, left = b"", MOST_BYTES
    try:
        while left > 0 and (piece := read(PIECE)):
            end = (end + piece)[-KEPT_BYTES:]
            left -= len(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        pass  # still being written: use what is there
    return end


def _open(uri: str, hook: Mapping[str, Any]) -> IO[bytes]:
    scheme, bucket, key = _parts(uri)
    if scheme == "file":
        return Path(key).open("rb")
    return cast(IO[bytes], _client(hook).get_object(Bucket=bucket, Key=key)["Body"])


def _parts(uri: str) -> tuple[str, str, str]:
    """Return scheme, bucket and key; for a file, its path is the key. EMR shows s3:// as s3n://."""
    found = re.fullmatch(r"(file)://()(/.*)|(\w+)://([^/]+)/(.*)", uri, re.DOTALL)
    if found is None:
        raise OSError(f"{uri} is neither s3://bucket/key nor file:///path")
    scheme, bucket, key = (part for part in found.groups() if part is not None)
    return scheme, bucket, key


def _client(hook: Mapping[str, Any]) -> Any:
    return S3Hook(**hook).conn
