"""Spark's event logs: those of all runs are in one folder, from which a history server shows them.

Left to itself, EMR keeps them in the cluster's HDFS (``hdfs:///var/log/spark/apps``), which ends with the
cluster. Its console, as far as is known, shows what it has collected there, and so none of these.

They say when which task ran, Spark's settings and the jobs' arguments, and so where images and results are;
of single images they know nothing (tests/system/e2e/test_history.py looks).
"""

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from urllib.parse import quote

import pyarrow as pa

from orchard.lake.objects import Storage

MOST_BYTES = 2**24
"""Of an event log, unpacked, in which its application says its name: it is among the first kilobytes."""

PIECE = 2**16

_SUFFIX = ".zstd"


def event_log_folder(logs: str) -> str:
    """Return the folder of event logs; below that of EMR's logs, and as long-lived."""
    return f"{logs}/spark-events"


def event_log_conf(logs: str) -> dict[str, str]:
    """Return the settings with which Spark keeps event logs there."""
    return {
        "spark.eventLog.enabled": "true",
        # Spark, unlike Hadoop's ``Path``, decodes it.
        "spark.eventLog.dir": quote(event_log_folder(logs), safe="/:"),
        # Both are Spark's own choice, but not of each release of EMR; and what reads the logs relies on them.
        "spark.eventLog.rolling.enabled": "true",
        "spark.eventLog.compress": "true",
        "spark.eventLog.compression.codec": "zstd",
    }


def event_logs_of(slug: str, logs: str, storage: Storage, known: Collection[str] = ()) -> list[str]:
    """Return the folders of the event logs of one run. One that breaks off before its name is nobody's.

    Those whose names are ``known`` are other runs', and are not opened.
    """
    folders = _folders(logs, storage, known)
    return [folder for folder in folders if (_application(folder, storage) or "").split()[-1:] == [slug]]


def unnamed_event_logs(logs: str, storage: Storage, known: Collection[str]) -> list[str]:
    """Return the folders of event logs that break off before a name, but for those that are ``known``."""
    return [folder for folder in _folders(logs, storage, known) if _application(folder, storage) is None]


def delete_event_logs(storage: Storage, logs: str, since: datetime) -> list[str]:
    """Delete the event logs to which nothing was written ``since``; return their names."""
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
    """Return the name with which an application was submitted; the run's slug is its last word."""
    first = next((name for name in storage.names(folder) if name.startswith("events_1_")), None)
    if first is None or not first.endswith(_SUFFIX):
        return None
    with storage.open(f"{folder}/{first}") as compressed:
        for line in _lines(pa.CompressedInputStream(compressed, "zstd")):
            if b'"SparkListenerApplicationStart"' in line:
                return _name_of(line)
    return None


def _name_of(line: bytes) -> str | None:
    """Return the name in an event; none where a node has written something else."""
    try:
        return str(json.loads(line)["App Name"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _lines(stream: pa.CompressedInputStream) -> Iterator[bytes]:
    """Yield the first whole lines, of no more than MOST_BYTES; a log whose driver was killed just ends."""
    rest, left = b"", MOST_BYTES
    try:
        while left > 0 and (chunk := stream.read(PIECE)):
            left -= len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
    except OSError:
        return
