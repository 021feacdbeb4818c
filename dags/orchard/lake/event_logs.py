"""Spark's event logs: all runs share one folder, which a Spark history server can serve.

By default EMR keeps them in the cluster's HDFS (``hdfs:///var/log/spark/apps``), which is lost with the
cluster. As far as we know, the EMR console reads only that location, so it does not show these logs.

They contain task times, Spark's settings and the jobs' arguments, hence the URIs of images and results, but
nothing about single images (tests/system/e2e/test_history.py checks that).
"""

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from urllib.parse import quote

import pyarrow as pa

from orchard.lake.objects import Storage

MOST_BYTES = 2**24
"""How much of an event log, decompressed, is searched for the application's name, which comes early."""

PIECE = 2**16

_SUFFIX = ".zstd"


def event_log_folder(logs: str) -> str:
    """Return the folder of event logs, below the folder of EMR's logs."""
    return f"{logs}/spark-events"


def event_log_conf(logs: str) -> dict[str, str]:
    """Return the Spark properties that write event logs there."""
    return {
        "spark.eventLog.enabled": "true",
        # Unlike Hadoop's ``Path``, Spark percent-decodes this URI.
        "spark.eventLog.dir": quote(event_log_folder(logs), safe="/:"),
        # Spark's defaults, but not in every EMR release; ``event_logs_of`` relies on them.
        "spark.eventLog.rolling.enabled": "true",
        "spark.eventLog.compress": "true",
        "spark.eventLog.compression.codec": "zstd",
    }


def event_logs_of(slug: str, logs: str, storage: Storage, known: Collection[str] = ()) -> list[str]:
    """Return the event log folders of one run. A log that ends before its application's name is skipped.

    Folders whose names are ``known`` belong to other runs, and are not opened.
    """
    folders = _folders(logs, storage, known)
    return [folder for folder in folders if (_application(folder, storage) or "").split()[-1:] == [slug]]


def unnamed_event_logs(logs: str, storage: Storage, known: Collection[str]) -> list[str]:
    """Return the folders of event logs that break off before a name, but for those that are ``known``."""
    return [folder for folder in _folders(logs, storage, known) if _application(folder, storage) is None]


def delete_event_logs(storage: Storage, logs: str, since: datetime) -> list[str]:
    """Delete the event logs not written to since ``since``; return their names."""
    root = event_log_folder(logs)
    old = [
        name
        for name in storage.folders(root)
        if max((found.modified for found in storage.objects(f"{root}/{name}")), default=since) < since
    ]
    for name in old:
        storage.delete_folder(f"{root}/{name}")
    return old


def _folders(logs: str, storage: Storage, known: Collection[str]) -> list[str]:
    root = event_log_folder(logs)
    return [f"{root}/{name}" for name in storage.folders(root) if name not in known]


def _application(folder: str, storage: Storage) -> str | None:
    """Return the name that an application was submitted with; its last word is the run's slug."""
    first = next((name for name in storage.names(folder) if name.startswith("events_1_")), None)
    if first is None or not first.endswith(_SUFFIX):
        return None
    with storage.open(f"{folder}/{first}") as compressed:
        for line in _lines(pa.CompressedInputStream(compressed, "zstd")):
            if b'"SparkListenerApplicationStart"' in line:
                return _parse_app_name(line)
    return None


def _parse_app_name(line: bytes) -> str | None:
    """Return the application name in an event; None if a node has written something else."""
    try:
        return str(json.loads(line)["App Name"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _lines(stream: pa.CompressedInputStream) -> Iterator[bytes]:
    """Yield complete lines, of at most MOST_BYTES in total; the log of a killed driver may be truncated."""
    rest, left = b"", MOST_BYTES
    try:
        while left > 0 and (chunk := stream.read(PIECE)):
            left -= len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
    except OSError:
        return
