"""Two runs for reduce alone: one whose rows are known, and one with new rows that has the list of them.

Both are in folders beside each other, as in a lake, so that a refit works as it does night after night.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchard_jobs.contract import EARLIER_COLUMNS, Status
from orchard_jobs.matrices import to_lists, to_matrix

KNOWN_SHARE = 0.99  # of the rows, for the refit
NOISE = 0.05  # beside features of 0 to 6: no row twice
ROWS_PER_GROUP = 2048


def split_features(features: Path, known: Path, new: Path) -> None:
    """Write the rows of a feature folder as those of two runs: KNOWN_SHARE of them, and the rest."""
    rows = pq.read_table(features)
    count = int(rows.num_rows * KNOWN_SHARE)
    _write_runs(iter([rows.slice(0, count)]), known, iter([rows.slice(count)]), new)


def multiply_features(features: Path, count: int, known: Path, new: Path) -> None:
    """Write ``count`` rows, those of ``features`` with noise over and over, as those of two runs."""
    rows = pq.read_table(features)
    first_new = int(count * KNOWN_SHARE)
    _write_runs(_draw(rows, 0, first_new), known, _draw(rows, first_new, count), new)


def _draw(rows: pa.Table, first: int, end: int) -> Iterator[pa.Table]:
    """Yield the drawn rows ``first`` to ``end``, in tables of as many rows as ``rows`` has, or fewer."""
    matrix = to_matrix(rows["features"].combine_chunks())
    random = np.random.default_rng(first)
    path, features = (rows.schema.get_field_index(name) for name in ("path", "features"))
    for start in range(first, end, len(matrix)):
        count = min(len(matrix), end - start)
        drawn = matrix[:count] + random.uniform(0, NOISE, (count, matrix.shape[1])).astype(np.float32)
        paths = pa.array([f"{start + number:09d}.jpg" for number in range(count)])
        part = rows.slice(0, count).set_column(features, "features", to_lists(drawn))
        yield part.set_column(path, "path", paths)


def _write_runs(known_rows: Iterator[pa.Table], known: Path, new_rows: Iterator[pa.Table], new: Path) -> None:
    paths = _write_rows(known_rows, known / "features")
    _write_rows(new_rows, new / "features")
    always = {"etag": "", "status": Status.OK.value, "run": known.name, "stays": True}
    columns = {name: pa.repeat(value, len(paths)) for name, value in always.items()} | {"path": paths}
    pq.write_table(pa.table(columns).select(EARLIER_COLUMNS), new / "earlier.parquet")


def _write_rows(tables: Iterator[pa.Table], folder: Path) -> pa.ChunkedArray:
    """Write one file per table; return the paths of all rows."""
    folder.mkdir()
    paths = []
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{number:05d}.parquet", row_group_size=ROWS_PER_GROUP)
        paths.append(table["path"].combine_chunks())
    return pa.chunked_array(paths)
