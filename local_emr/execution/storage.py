"""Files by URI: a bootstrap script to read, logs to write."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config

# A store that is away must not keep a cluster from ending.
_S3_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})


def read_uri(uri: str) -> bytes:
    """The content of a file:// or s3:// URI. Raises OSError or botocore's errors."""
    parts = urlsplit(uri)
    if parts.scheme in ("s3", "s3a", "s3n"):
        content: bytes = s3_client().get_object(Bucket=parts.netloc, Key=_key(uri))["Body"].read()
        return content
    return _path(uri).read_bytes()


def write_uri(uri: str, content: bytes) -> None:
    """Write to a file:// or s3:// URI; folders are made."""
    parts = urlsplit(uri)
    if parts.scheme in ("s3", "s3a", "s3n"):
        s3_client().put_object(Bucket=parts.netloc, Key=_key(uri), Body=content)
        return
    path = _path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _key(uri: str) -> str:
    # Not urlsplit's path: a key may hold ? and #.
    return uri.split("://", 1)[1].partition("/")[2]


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise OSError(f"{uri!r} is neither s3://bucket/key nor file:///path")
    return Path(unquote(parts.path))


@cache
def s3_client() -> Any:
    """One for the server's life; made late, for the endpoint may be set by then."""
    return boto3.client("s3", config=_S3_CONFIG)
