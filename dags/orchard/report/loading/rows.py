"""The rows of a folder of Parquet, a batch at a time: never a whole file, nor a column nobody asked for."""

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
        pa.field("thumbnail", pa.binary()),  # files of before there were any lack them
        pa.field("components", pa.list_(pa.float64()), nullable=False),
    ]
)
"""What a report reads of rows."""


def read_folder(storage: Storage, uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield ``columns``, of COLUMNS, of all files of a folder, in the order of the files' names.

    Raises:
        OrchardError: where there is no such file, or one is not as the jobs write them.
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
        OrchardError: where it is damaged, or not as the jobs write them.
    """
    try:
        with storage.open(uri) as opened:
            yield from read_checked(opened, pa.schema([COLUMNS.field(name) for name in columns]))
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise OrchardError(
            f"{uri} cannot be read ({first_line(error)})",
            rule="a file of a published run is Parquet, and never changes",
            remedy="restore it",
        ) from error


def to_matrix(lists: pa.ListArray, width: int) -> Matrix:
    """Return rows of ``width`` numbers as a matrix (n, width).

    Raises:
        OrchardError: where they have another width.
    """
    numbers = np.asarray(lists.flatten(), dtype=np.float64)
    if len(numbers) != len(lists) * width:
        raise OrchardError(
            f"rows of {len(numbers) // max(len(lists), 1)} components",
            rule=f"run.json says that the run has {width}",
            remedy="restore the folder components of the run",
        )
    return numbers.reshape(len(lists), width)
