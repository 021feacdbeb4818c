"""The last lines of a step's own output, from where EMR puts its logs."""

import gzip
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.exceptions import BotoCoreError, ClientError

SHOWN_LINES = 60
"""Of a stack trace of Spark the last lines hold the cause."""

OUTPUTS = ("stderr", "stdout")
"""Spark logs to stderr. What Python says, its traceback too, is in stdout: in client mode spark-submit
merges the two of its Python process. It is shown last, where one looks first."""


def last_lines(
    log_uri: str | None, cluster_id: str, step_id: str, *, timeout: float, hook: Mapping[str, Any]
) -> str:
    """Return the end of a step's stderr and stdout, or lines that say why there is none.

    ``hook`` holds the arguments of S3Hook. Waits up to ``timeout`` seconds: EMR uploads logs every five
    minutes.
    """
    if not log_uri:
        return "(the cluster has no LogUri, so the step's output is lost)"
    folder = f"{log_uri.rstrip('/')}/{cluster_id}/steps/{step_id}"
    deadline = time.monotonic() + timeout
    shown = ((name, _last_lines(f"{folder}/{name}", deadline, hook)) for name in OUTPUTS)
    return "\n".join(f"The last lines of its {name}:\n{lines}" for name, lines in shown)


def _last_lines(uri: str, deadline: float, hook: Mapping[str, Any]) -> str:
    while (text := _read(uri, hook)) is None:
        if time.monotonic() >= deadline:
            return f"(no log yet at {uri}.gz: look again in a few minutes)"
        time.sleep(min(5.0, max(0.1, deadline - time.monotonic())))
    return "\n".join(text.splitlines()[-SHOWN_LINES:]) or f"(nothing in {uri}.gz)"


def _read(uri: str, hook: Mapping[str, Any]) -> str | None:
    for name in (f"{uri}.gz", uri):
        try:
            data = _fetch(name, hook)
        except (OSError, ClientError, BotoCoreError):
            continue  # not there yet, or not ours to read: either way the caller says where it would be
        return (_decompress(data) if name.endswith(".gz") else data).decode(errors="replace")
    return None


def _fetch(uri: str, hook: Mapping[str, Any]) -> bytes:
    scheme, _, path = uri.partition("://")
    if scheme == "file":
        return Path(path).read_bytes()
    bucket, _, key = path.partition("/")  # EMR shows s3:// as s3n://
    client: Any = S3Hook(**hook).conn
    data: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def _decompress(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return zlib.decompressobj(wbits=31).decompress(data)  # still being written
