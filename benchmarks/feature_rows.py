"""Synthetic feature rows, to measure ``ml.PCA``, reduce and a refit on more rows than there are images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchard_jobs.contract import EARLIER_COLUMNS, Status

KNOWN_SHARE = 0.99  # share of the rows that the refit already knows
NOISE = 0.05  # added to features of 0 to 6, so that all rows differ
ROWS_PER_GROUP = 2048


def draw_rows(features: Path, count: int, folder: Path) -> Path:
    """Write ``count`` rows as a feature folder in ``folder``, and return it."""
    _write_rows(_draw(pq.read_table(features), 0, count), folder / "features")
    return folder / "features"


def draw_runs(features: Path, count: int, known: Path, new: Path) -> None:
    """Write ``count`` rows as two runs: KNOWN_SHARE of them in the first, and the rest in the second.

    The folders are siblings, as in a lake, and the second run has the list of the first one's rows, so that a
    refit works as in a nightly run.

    Args:
        features: A feature folder. Rows are drawn from it repeatedly, with noise.
        known: Folder of the first run.
        new: Folder of the second run, which has the list of earlier rows.
    """
    rows = pq.read_table(features)
    first_new = int(count * KNOWN_SHARE)
    paths = _write_rows(_draw(rows, 0, first_new), known / "features")
    _write_rows(_draw(rows, first_new, count), new / "features")
    always = {"etag": "", "status": Status.OK.value, "run": known.name, "stays": True}
    columns = {name: pa.repeat(value, len(paths)) for name, value in always.items()} | {"path": paths}
    pq.write_table(pa.table(columns).select(EARLIER_COLUMNS), new / "earlier.parquet")


def _draw(rows: pa.Table, first: int, end: int) -> Iterator[pa.Table]:
    """Yield the drawn rows ``first`` to ``end`` in tables of at most as many rows as ``rows`` has."""
    lists = rows["features"].combine_chunks()
    matrix = lists.flatten().to_numpy().reshape(len(lists), -1)
    random = np.random.default_rng(first)
    path, features = (rows.schema.get_field_index(name) for name in ("path", "features"))
    for start in range(first, end, len(matrix)):
        count = min(len(matrix), end - start)
        drawn = matrix[:count] + random.uniform(0, NOISE, (count, matrix.shape[1])).astype(np.float32)
        paths = pa.array([f"{start + number:09d}.jpg" for number in range(count)])
        values = pa.FixedSizeListArray.from_arrays(pa.array(drawn.ravel()), matrix.shape[1])
        part = rows.slice(0, count).set_column(features, "features", values.cast(lists.type))
        yield part.set_column(path, "path", paths)


def _write_rows(tables: Iterator[pa.Table], folder: Path) -> pa.ChunkedArray:
    """Write one file per table; return the paths of all rows."""
    folder.mkdir()
    paths = []
    for number, table in enumerate(tables):
        file = folder / f"part-{number:05d}.parquet"
        pq.write_table(table, file, row_group_size=ROWS_PER_GROUP, use_dictionary=False)
        paths.append(table["path"].combine_chunks())
    return pa.chunked_array(paths)
