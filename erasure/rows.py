"""Removes one image from the bytes of a lake's files. Pure."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchard.lake.parquet import from_parquet, open_parquet
from orchard_jobs.escaping import unescape_cell


def without(name: str, data: bytes, path: str) -> bytes | None:
    """Return a file's content without the image ``path``; None if it does not contain the image.

    Other rows, their order, all columns and the compression are preserved.

    Args:
        name: Name of the file; its suffix determines the format. Only .parquet, .csv and .json have rows.

    Raises:
        ValueError: if the content does not match the suffix.
    """
    for suffix, filter_rows in _KINDS.items():
        if name.endswith(suffix):
            return filter_rows(data, path)
    return None


def _without_row(data: bytes, path: str) -> bytes | None:
    file = open_parquet(io.BytesIO(data))
    if "path" not in file.schema_arrow.names:
        return None
    paths = file.read(["path"], use_threads=False)["path"]
    if not pc.any(pc.equal(paths, path)).as_py():
        return None
    table = from_parquet(data)
    left = table.filter(pc.fill_null(pc.not_equal(table["path"], path), fill_value=True))
    buffer = io.BytesIO()
    group = file.metadata.row_group(0)
    codec = group.column(0).compression
    pq.write_table(
        left,
        buffer,
        compression="NONE" if codec == "UNCOMPRESSED" else codec,
        row_group_size=max(1, group.num_rows),
    )
    return buffer.getvalue()


def _without_line(data: bytes, path: str) -> bytes | None:
    """Remove the rows of an image from a CSV (RFC 4180: cells may contain line breaks); keep other bytes."""
    lines = list(io.StringIO(data.decode(), newline=""))
    reader = csv.reader(lines, strict=True)
    left, start = [], 0
    for row in reader:
        is_header = start == 0
        if is_header or [unescape_cell(cell) for cell in row[:1]] != [path]:
            left += lines[start : reader.line_num]
        start = reader.line_num
    return None if len(left) == len(lines) else "".join(left).encode()


def _without_mention(data: bytes, path: str) -> bytes | None:
    """Remove an image's examples, and its path in error messages, from a job's metrics."""
    content = json.loads(data)
    left = _forget(content, path)
    return None if left == content else json.dumps(left, indent=2).encode() + b"\n"


def _forget(content: Any, path: str) -> Any:
    if isinstance(content, list):
        return [_forget(item, path) for item in content if not _is_of(item, path)]
    if isinstance(content, dict):
        found = {name: _forget(value, path) for name, value in content.items()}
        if path in str(found.get("error", "")):
            found["error"] = str(found["error"]).replace(path, "(an image that was erased)")
        return found
    return content


def _is_of(item: Any, path: str) -> bool:
    return isinstance(item, dict) and item.get("path") == path


_KINDS: dict[str, Callable[[bytes, str], bytes | None]] = {
    ".parquet": _without_row,
    ".csv": _without_line,
    ".json": _without_mention,
}

UNREADABLE = (ValueError, RecursionError, csv.Error, pa.ArrowException)
"""Errors that ``without`` may raise for a damaged file."""
