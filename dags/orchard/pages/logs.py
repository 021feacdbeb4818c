"""The logs of a cluster's steps, as EMR uploads them."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

from fastapi.responses import StreamingResponse

from orchard.lake.objects import Storage
from orchard.pages.files import PART, parts
from orchard.pages.guard import FILE

CLUSTER = re.compile(r"j-[A-Z0-9]{1,64}")
STEP = re.compile(r"s-[A-Z0-9]{1,64}")
NAME = re.compile(r"(stdout|stderr|controller|syslog)(\.gz)?")
"""EMR's file names; requests supply no other part of a path."""


MOST_BYTES = 2**28
"""Maximum decompressed bytes of a log: a few kilobytes could decompress to gigabytes."""


@dataclass(frozen=True)
class LogFile:
    """One file of one step. ``size`` is the stored size in bytes."""

    step: str
    name: str
    size: int
    modified: datetime


def find_logs(storage: Storage, logs: str, cluster: str) -> list[LogFile]:
    """Return the files of a cluster's steps, oldest step first."""
    found = []
    for stored in storage.objects(f"{logs}/{cluster}/steps"):
        step, _, name = stored.name.partition("/")
        if STEP.fullmatch(step) and NAME.fullmatch(name):
            found.append(LogFile(step, name, stored.size, stored.modified))
    first: dict[str, datetime] = {}
    for log in found:
        first[log.step] = min(log.modified, first.get(log.step, log.modified))
    return sorted(found, key=lambda log: (first[log.step], log.step, log.name))


def read_log(storage: Storage, uri: str) -> StreamingResponse:
    """Return a log as plain text, decompressed while streaming. Raises FileNotFoundError."""
    file = storage.open(uri)
    lines = unpacked(file) if uri.endswith(".gz") else parts(file)
    headers = {"content-security-policy": FILE}
    return StreamingResponse(lines, headers=headers, media_type="text/plain; charset=utf-8")


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield a gzip file's content, as far as it can be read, and close it."""
    with file:
        try:
            # GzipFile reads in small pieces, each of which would be an S3 request.
            packed = gzip.GzipFile(fileobj=io.BufferedReader(cast(io.RawIOBase, file), PART))
            left = MOST_BYTES
            while left > 0 and (part := packed.read1(min(PART, left))):
                left -= len(part)
                yield part
            if left == 0:
                yield f"\n(only the first {MOST_BYTES >> 20} MiB are shown; the file has the rest)\n".encode()
        except (EOFError, OSError, zlib.error) as error:
            yield f"\n(the rest cannot be read: {error}; EMR may still be writing it)\n".encode()
