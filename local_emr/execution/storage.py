"""Reads and writes files by URI: scripts, jars and logs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config

# A store that does not respond must not keep a cluster from terminating.
_S3_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})


def read_uri(uri: str) -> bytes:
    """Read a file:// or s3:// URI. Raises OSError or botocore's errors."""
    if is_s3(uri):
        content: bytes = s3_client().get_object(Bucket=_bucket(uri), Key=_key(uri))["Body"].read()
        return content
    return _path(uri).read_bytes()


def write_uri(uri: str, content: bytes) -> None:
    """Write to a file:// or s3:// URI; create missing folders."""
    if is_s3(uri):
        s3_client().put_object(Bucket=_bucket(uri), Key=_key(uri), Body=content)
        return
    path = _path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def is_s3(uri: str) -> bool:
    return uri.startswith(("s3://", "s3a://", "s3n://"))


def local_path(uri: str) -> Path | None:
    """Return the local path of a path or file:// URI; None for other URIs."""
    if uri.startswith("/"):
        return Path(uri)
    return _path(uri) if uri.startswith("file:") else None


def place_in_folder(uri: str, folder: Path) -> str:
    """Map an s3:// URI to a file:// URI in a folder of buckets. Raises OSError if it leads outside."""
    place = folder / _bucket(uri) / _key(uri)
    if ".." in place.parts:
        raise OSError(f"{uri!r} leads out of {folder}")
    return place.as_uri()


def _bucket(uri: str) -> str:
    return uri.split("://", 1)[1].partition("/")[0]


def _key(uri: str) -> str:
    # Not urlsplit's path, because a key may contain ? and #.
    return uri.split("://", 1)[1].partition("/")[2]


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise OSError(f"{uri!r} is neither s3://bucket/key nor file:///path")
    return Path(unquote(parts.path))


@cache
def s3_client() -> Any:
    """Return the server's S3 client, created on first use: tests set the endpoint before that."""
    return boto3.client("s3", config=_S3_CONFIG)
