"""Reads and writes Parquet files and folders with pyarrow, at any URI of ``storage``.

A file appears complete or not at all, under a name that depends only on its content, so retried and late
tasks change nothing. Readers may be Spark, pandas, DuckDB or Athena.

Reads run in the calling thread. If one of Arrow's own threads were the last to release the Python object from
which it reads, it would abort an exiting process: https://github.com/apache/arrow/issues/34314.
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
"""Largest number of rows that are read at once."""
READS = 16  # of footers at once

Result = TypeVar("Result")


@dataclass(frozen=True, order=True)
class Part:
    """One Parquet file: its URI, and its size in bytes."""

    uri: str
    size: int


def find_parts(*uris: str) -> list[Part]:
    """Return the Parquet files at URIs of files or folders, in the order of the URIs and then by name.

    Raises:
        OrchardError: if a URI has none.
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
            rule="it must name the output of the listing or of an earlier job",
            remedy="check the URI, and that the earlier job succeeded",
        )
    return found


def validate_files(uri: str, names: Sequence[str]) -> None:
    """Check that the Parquet files in a folder are exactly those that a job has just written.

    Raises:
        OrchardError: if some are missing, or there are others.
    """
    found = [part.uri.rpartition("/")[2] for part in find_parts(uri)]
    if found != sorted(names):
        raise OrchardError(
            f"{len(found)} files in {uri}, of which {len(set(found) & set(names))} are this job's",
            rule=f"only one job at a time may write there, and this one wrote {len(names)}",
            remedy="stop other writers, and run this job again",
        )


def _is_data(path: str) -> bool:
    """Return whether a path is data. As in Spark, names that begin with a dot or underscore are not."""
    return path.endswith(SUFFIX) and not any(name.startswith((".", "_")) for name in path.split("/"))


def open_parquet(part: Part, columns: Sequence[str] = ()) -> pq.ParquetFile:
    """Open one file to read these columns.

    Raises:
        OrchardError: if it cannot be read, is not Parquet, or lacks one of the columns.
    """
    with _reading(part):
        file = pq.ParquetFile(open_file(part.uri, part.size), pre_buffer=False)
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise OrchardError(
            f"{part.uri} has no {' and no '.join(missing)}",
            rule="the output of the previous job has these columns",
            remedy="check the URI",
        )
    return file


def map_parts(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Call ``work``, which reads a footer in one or two GETs, on every file; return the results in order."""
    with ThreadPoolExecutor(READS) as pool:
        return list(pool.map(work, parts))


@contextmanager
def _reading(part: Part) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise OrchardError(
            f"cannot read {part.uri} ({first_line(error)})",
            rule="it must exist and be a complete Parquet file",
            remedy="allow reading it, or rerun the job that wrote it",
        ) from error


def read_part(part: Part, columns: Sequence[str]) -> pa.Table:
    """Read columns of one file.

    Raises:
        OrchardError: if it cannot be read, is not Parquet, or lacks one of the columns.
    """
    with _reading(part):
        return open_parquet(part, columns).read(list(columns), use_threads=False)


def read_groups(
    part: Part, columns: Sequence[str], is_wanted: Callable[[pq.RowGroupMetaData], bool] = lambda _: True
) -> Iterator[pa.Table]:
    """Yield columns of one file, one row group at a time; ``is_wanted`` selects groups by their metadata."""
    file = open_parquet(part, columns)
    for place in range(file.num_row_groups):
        if is_wanted(file.metadata.row_group(place)):
            with _reading(part):
                group = file.read_row_group(place, list(columns), use_threads=False)
            yield group


def path_range(group: pq.RowGroupMetaData) -> tuple[str, str] | None:
    """Return the lowest and the highest ``path`` of a row group; None if its metadata lack them."""
    for place in range(group.num_columns):
        column = group.column(place)
        if column.path_in_schema == "path":
            found = column.statistics
            return (found.min, found.max) if found is not None and found.has_min_max else None
    return None


def to_parquet(table: pa.Table, plain: Sequence[str] = ()) -> bytes:
    """Return the bytes of a Parquet file of rows sorted by path, with that order in its metadata.

    Args:
        plain: Columns whose values never repeat, for which dictionaries and statistics would be useless.
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
    """Sort the rows by path in the order of its UTF-8 bytes, like S3's listings and Python's strings."""
    return table.take(pc.sort_indices(table["path"]))
