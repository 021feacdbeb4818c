"""Read the rows of a Parquet folder, in batches and only the requested columns."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from orchard.lake.objects import Storage
from orchard.lake.parquet import read_checked
from orchard.report.numbers.neighbours import Matrix
from orchard_jobs.errors import OrchardError, first_line

COLUMNS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("path", "label", "run", "status")),
        pa.field("error", pa.string()),
        pa.field("thumbnail", pa.binary()),  # missing in files of earlier versions
        pa.field("components", pa.list_(pa.float64()), nullable=False),
    ]
)
"""The columns that a report can read."""


def read_folder(storage: Storage, uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield ``columns``, a subset of COLUMNS, from all files of a folder, in order of their names.

    Raises:
        OrchardError: if there is no file, or one is invalid.
    """
    names = [name for name in storage.names(uri) if name.endswith(".parquet")]
    if not names:
        raise OrchardError(
            f"no Parquet files in {uri}", rule="a published run has some", remedy="restore that folder"
        )
    for name in names:
        yield from read_file(storage, f"{uri}/{name}", columns)


def read_file(storage: Storage, uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield ``columns`` of one file, like ``read_folder``.

    Raises:
        FileNotFoundError: if it is missing.
        OrchardError: if it is invalid.
    """
    try:
        with storage.open(uri) as opened:
            yield from read_checked(opened, pa.schema([COLUMNS.field(name) for name in columns]))
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise OrchardError(
            f"{uri} cannot be read ({first_line(error)})",
            rule="files of a published run are Parquet, and never change",
            remedy="restore it",
        ) from error


def to_matrix(lists: pa.ListArray, width: int) -> Matrix:
    """Return rows of ``width`` numbers as a matrix (n, width).

    Raises:
        OrchardError: if they have another width.
    """
    numbers = np.asarray(lists.flatten(), dtype=np.float64)
    if len(numbers) != len(lists) * width:
        raise OrchardError(
            f"rows of {len(numbers) // max(len(lists), 1)} components",
            rule=f"run.json says that the run has {width}",
            remedy="restore the run's folder components/",
        )
    return numbers.reshape(len(lists), width)
