"""Parquet files and folders of them, read and written by pyarrow at any URI of ``storage``.

A file appears whole or not at all, under a name that depends on nothing but what is in it: so a task that is
retried, or is late, changes nothing. Readers may be Spark, pandas, DuckDB or Athena.

Everything is read by the thread that asks. A thread of Arrow's own may be the last to let go of the Python
object that it has read from, and aborts a process that ends: https://github.com/apache/arrow/issues/34314.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchard_jobs.errors import OrchardError, first_line
from orchard_jobs.storage import file_size, list_folder, open_file

SUFFIX = ".parquet"
ROWS_PER_GROUP = 10_000
"""What is read at once at most."""
READS = 16  # of footers at once

Result = TypeVar("Result")


@dataclass(frozen=True, order=True)
class Part:
    """One Parquet file: its URI, and its size in bytes."""

    uri: str
    size: int


def find_parts(*uris: str) -> list[Part]:
    """Return the Parquet files at URIs of files or folders: one URI after the other, by name in each.

    Raises:
        OrchardError: where there is none at one of them.
    """
    return [part for uri in uris for part in _find_parts(uri)]


def _find_parts(uri: str) -> list[Part]:
    size, folder = file_size(uri), uri.rstrip("/")
    if size is not None:
        return [Part(uri, size)]
    try:
        found = sorted(
            Part(f"{folder}/{file.path}", file.size) for file in list_folder(uri) if _is_data(file.path)
        )
    except OrchardError:
        found = []
    if not found:
        raise OrchardError(
            f"no Parquet at {uri}",
            rule="it is what an earlier job, or the listing, wrote",
            remedy="check the URI, and that the job before succeeded",
        )
    return found


def refuse_other_files(uri: str, names: Sequence[str]) -> None:
    """Check that the Parquet files in a folder are those that a job has just written.

    Raises:
        OrchardError: where there are others, or fewer.
    """
    found = [part.uri.rpartition("/")[2] for part in find_parts(uri)]
    if found != sorted(names):
        raise OrchardError(
            f"{len(found)} files in {uri}, of which {len(set(found) & set(names))} are this job's",
            rule=f"one job at a time writes there, and this one wrote {len(names)}",
            remedy="let nothing else write there, and run this job again",
        )


def _is_data(path: str) -> bool:
    """Like Spark: what begins with a dot or an underscore is no data."""
    return path.endswith(SUFFIX) and not any(name.startswith((".", "_")) for name in path.split("/"))


def open_parquet(part: Part, columns: Sequence[str] = ()) -> pq.ParquetFile:
    """Open one file, to read these columns.

    Raises:
        OrchardError: where it cannot be read, is no Parquet, or lacks one of them.
    """
    with _reading(part):
        file = pq.ParquetFile(open_file(part.uri, part.size), pre_buffer=False)
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise OrchardError(
            f"{part.uri} has no {' and no '.join(missing)}",
            rule="these are columns of what the job before wrote",
            remedy="check the URI",
        )
    return file


def map_parts(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Return what ``work`` returns of each file, in their order. It reads a footer: a GET or two."""
    with ThreadPoolExecutor(READS) as pool:
        return list(pool.map(work, parts))


@contextmanager
def _reading(part: Part) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise OrchardError(
            f"cannot read {part.uri} ({first_line(error)})",
            rule="it must be there, a whole Parquet file",
            remedy="allow reading it, or run the job that wrote it again",
        ) from error


def read_part(part: Part, columns: Sequence[str]) -> pa.Table:
    """Read columns of one file.

    Raises:
        OrchardError: where it cannot be read, is no Parquet, or lacks one of them.
    """
    with _reading(part):
        return open_parquet(part, columns).read(list(columns), use_threads=False)


def read_groups(
    part: Part, columns: Sequence[str], is_wanted: Callable[[pq.RowGroupMetaData], bool] = lambda _: True
) -> Iterator[pa.Table]:
    """Yield columns of one file, a row group at a time, of those that ``is_wanted`` by their metadata."""
    file = open_parquet(part, columns)
    for place in range(file.num_row_groups):
        if is_wanted(file.metadata.row_group(place)):
            with _reading(part):
                group = file.read_row_group(place, list(columns), use_threads=False)
            yield group


def path_range(group: pq.RowGroupMetaData) -> tuple[str, str] | None:
    """Return the first and the last ``path`` of a row group; None where its metadata do not tell."""
    for place in range(group.num_columns):
        column = group.column(place)
        if column.path_in_schema == "path":
            found = column.statistics
            return (found.min, found.max) if found is not None and found.has_min_max else None
    return None


def to_parquet(table: pa.Table, plain: Sequence[str] = ()) -> bytes:
    """Return one file of rows that are sorted by path, which it says of itself.

    Args:
        plain: Columns that never repeat: dictionaries and statistics would cost time and say nothing.
    """
    others = [name for name in table.column_names if name not in plain]
    by_path = pq.SortingColumn(table.column_names.index("path"))
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        use_dictionary=others,
        write_statistics=others,
        row_group_size=ROWS_PER_GROUP,
        sorting_columns=[by_path],
    )
    return buffer.getvalue()


def sort_by_path(table: pa.Table) -> pa.Table:
    """Return the rows by path: by its bytes in UTF-8, as S3 lists and as Python compares."""
    return table.take(pc.sort_indices(table["path"]))
