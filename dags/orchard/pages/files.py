"""Files of a published run, streamed from the lake: never more than a part of one is in memory."""

from collections.abc import Iterator
from typing import BinaryIO

from fastapi.responses import StreamingResponse

from orchard.lake.objects import Storage
from orchard.pages.guard import FILE, REPORT

PART = 4 << 20
"""Bytes read at once; in S3, of one request."""


def report(storage: Storage, uri: str) -> StreamingResponse:
    """Return a report, to look at. Raises FileNotFoundError, as all of these do."""
    return _stream(storage, uri, "text/html; charset=utf-8", {"content-security-policy": REPORT})


def data(storage: Storage, uri: str) -> StreamingResponse:
    """Return a JSON file, to look at."""
    return _stream(storage, uri, "application/json", {"content-security-policy": FILE})


def download(storage: Storage, uri: str, name: str) -> StreamingResponse:
    """Return a CSV, to save under ``name``, which is plain ASCII."""
    headers = {"content-security-policy": FILE, "content-disposition": f'attachment; filename="{name}"'}
    return _stream(storage, uri, "text/csv; charset=utf-8", headers)


def _stream(storage: Storage, uri: str, kind: str, headers: dict[str, str]) -> StreamingResponse:
    file = storage.open(uri)
    size = file.seek(0, 2)
    file.seek(0)
    headers = {**headers, "content-length": str(size)}
    return StreamingResponse(parts(file), headers=headers, media_type=kind)


def parts(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file, and close it."""
    with file:
        while part := file.read(PART):
            yield part
