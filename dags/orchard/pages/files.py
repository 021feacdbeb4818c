"""Stream files of a published run from the lake, in parts."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from fastapi.responses import Response, StreamingResponse

from orchard.lake.objects import Storage
from orchard.pages.guard import FILE, REPORT

CSV_NAME = re.compile(r"[a-z0-9-]{1,100}\.csv")

PART = 4 << 20
"""Bytes per read, which is one S3 request."""


FRAME = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8">'
    b'<meta name="color-scheme" content="light dark">'
    b"<title>Report</title><style>html,body{height:100%;margin:0}"
    b"iframe{display:block;border:0;width:100%;height:100%}</style></head>"
    b'<body><iframe title="Report" sandbox="allow-scripts" name="',
    b'" srcdoc="',
    b'"></iframe></body></html>',
)
"""The HTML before a frame's name, between name and report, and after it. The report is an attribute, so it
has no URL and cannot be opened outside the frame that confines it, see ``guard.REPORT``.

The surrounding page has the links: this document has an opaque origin, so its links would not be logged
in."""


def report(page: bytes, name: str) -> Response:
    """Return a report in its frame. In a frame with the ``name`` charts it shows its charts only."""
    framed = (
        FRAME[0] + name.encode() + FRAME[1] + page.replace(b"&", b"&amp;").replace(b'"', b"&quot;") + FRAME[2]
    )
    headers = {"content-security-policy": REPORT}
    return Response(framed, headers=headers, media_type="text/html; charset=utf-8")


def data(storage: Storage, uri: str) -> StreamingResponse:
    """Return a JSON file to display. Raises FileNotFoundError, like ``download``."""
    return _stream(storage, uri, "application/json", {"content-security-policy": FILE})


def download(storage: Storage, uri: str, name: str) -> StreamingResponse:
    """Return a CSV to save as ``name``: a run's slug and a CSV_NAME."""
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
