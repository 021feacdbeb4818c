"""The rows of a folder of Parquet, a batch at a time: never a whole file, nor a column nobody asked for."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchard.lake.objects import Storage
from orchard.lake.parquet import open_parquet
from orchard.report.numbers.neighbours import Matrix
from orchard_jobs.errors import OrchardError, first_line

ROWS_AT_ONCE = 4096
READ_AT_ONCE = 4 * 2**20  # bytes of a column, with one request to S3


def read_folder(storage: Storage, uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield ``columns`` of all files of a folder, in the order of the files' names.

    A column that a file lacks, because it was written before there was one, is null.

    Raises:
        OrchardError: where there is no such file.
    """
    names = [name for name in storage.names(uri) if name.endswith(".parquet")]
    if not names:
        raise OrchardError(
            f"no Parquet in {uri}", rule="a published run has some there", remedy="restore that folder"
        )
    for name in names:
        yield from read_file(storage, f"{uri}/{name}", columns)


def read_file(storage: Storage, uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield ``columns`` of one file, like ``read_folder``.

    Raises:
        FileNotFoundError: where it is not there.
        OrchardError: where it is damaged.
    """
    try:
        with storage.open(uri) as opened, open_parquet(opened, READ_AT_ONCE) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=there, use_threads=False):
                yield pa.RecordBatch.from_pydict(
                    {name: batch[name] if name in there else pa.nulls(len(batch)) for name in columns}
                )
    except pa.ArrowInvalid as error:
        raise OrchardError(
            f"{uri} cannot be read ({first_line(error)})",
            rule="a file of a published run is Parquet, and never changes",
            remedy="restore it",
        ) from error


def to_matrix(lists: pa.ListArray) -> Matrix:
    """Return rows of numbers, all of the same length, as a matrix (n, k)."""
    lengths = pc.list_value_length(lists)
    width = lengths[0].as_py()
    return np.asarray(lists.flatten(), dtype=np.float64).reshape(len(lists), width)
