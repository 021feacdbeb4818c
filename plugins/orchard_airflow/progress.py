"""A job's progress, from the metrics that it rewrites every two seconds.

A node writes them, so only numbers and short lower-case names are shown.
"""

import asyncio
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

MOST_BYTES = 1 << 20
"""Maximum bytes of the metrics; real ones have 3 kB."""

LARGEST = 1e15

WORD = re.compile(r"[a-z][a-z_ ]{0,39}")


async def read_metrics(uri: str, hook: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics at ``uri``; an empty dict if there are none yet, or they cannot be read.

    Args:
        hook: Arguments of S3Hook.
    """
    try:
        if uri.startswith("s3://"):
            metrics = json.loads(await _read_object(uri, hook))
        else:
            metrics = json.loads(await asyncio.to_thread(_read_file, uri))
    except Exception:
        return {}
    return metrics if isinstance(metrics, dict) else {}


def describe_progress(metrics: Mapping[str, Any]) -> str | None:
    """Return ``320 of 647 images, 75.3 images/s, 4 s left``; None if the metrics have no progress."""
    done, total, rate = (_number(metrics, name) for name in ("done", "total", "images_per_second"))
    if metrics.get("state") != "running" or not done or not total:
        return None
    left = f", {format_seconds((total - done) / rate)} left" if rate and done < total else ""
    return f"{done:,.0f} of {total:,.0f} images{_rate(rate)}{left}"


def count_done(metrics: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the number of images done, and in total; None for a missing number."""
    return _number(metrics, "done"), _number(metrics, "total")


def describe_result(metrics: Mapping[str, Any]) -> str | None:
    """Return a job's result as one line of text; None if it has not succeeded, or the metrics are missing."""
    seconds = _number(metrics, "seconds")
    if metrics.get("state") != "succeeded" or seconds is None:
        return None
    parts = [format_seconds(seconds)]
    for name, noun in (("total", "images"), ("rows", "rows"), ("rejected", "rejected images")):
        if (number := _number(metrics, name)) is not None:
            parts.append(f"{number:,.0f} {noun}")
    if (rate := _number(metrics, "images_per_second")) is not None:
        parts.append(f"{rate:,.1f} images/s")
    if (k := _number(metrics, "k")) is not None and (kept := _number(metrics, "variance_kept")) is not None:
        parts.append(f"{k:.0f} components with {kept:.1%} of the variance")
    parts += [_list_numbers(metrics.get("counts"), ""), _list_numbers(metrics.get("phases"), " s")]
    return ", ".join(filter(None, parts))


def format_seconds(seconds: float) -> str:
    """Return ``8.6 s``, ``4 min 20 s`` or ``2 h 5 min``. Triggerers cannot import the report's formats."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _list_numbers(found: object, unit: str) -> str:
    """Return ``decode 1.5 s · write 0.2 s`` for a mapping; '' for anything else."""
    numbers = found if isinstance(found, dict) else {}
    named = {word: _number(numbers, word) for word in list(numbers)[:10] if WORD.fullmatch(str(word))}
    return " · ".join(f"{word} {number:,g}{unit}" for word, number in named.items() if number)


def _rate(rate: float | None) -> str:
    return f", {rate:,.1f} images/s" if rate else ""


def _number(metrics: Mapping[str, Any], name: str) -> float | None:
    """Return a number, if it is plausible."""
    found = metrics.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool) or not math.isfinite(found):
        return None
    return float(found) if 0 <= found < LARGEST else None


def _read_file(uri: str) -> bytes:
    """Read a file without following a link, or blocking on a pipe, that a node has created."""
    descriptor = os.open(uri.removeprefix("file://"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        return file.read(MOST_BYTES)


async def _read_object(uri: str, hook: Mapping[str, Any]) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    async with await S3Hook(**hook).get_async_conn() as client:
        found = await client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{MOST_BYTES - 1}")
        data: bytes = await found["Body"].read()
        return data
