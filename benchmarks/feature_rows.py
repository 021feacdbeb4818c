"""Feature folders for reduce alone: one cut in two, and one with more rows than there are images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchard_jobs.matrices import to_lists, to_matrix

KNOWN_SHARE = 0.99  # of the rows, for the refit
NOISE = 0.05  # beside features of 0 to 6: no row twice
ROWS_PER_GROUP = 2048


def split_features(features: Path, target: Path) -> tuple[str, str]:
    """Write a feature folder as two, KNOWN_SHARE of its rows and the rest; return their URIs."""
    rows = pq.read_table(features)
    known = int(rows.num_rows * KNOWN_SHARE)
    parts = {"known": rows.slice(0, known), "new": rows.slice(known)}
    return tuple(_write_rows(iter([part]), target / name) for name, part in parts.items())  # type: ignore[return-value]


def multiply_features(features: Path, count: int, target: Path) -> tuple[str, str]:
    """Write ``count`` rows, those of ``features`` with noise over and over, as known and new ones."""
    rows = pq.read_table(features)
    known = int(count * KNOWN_SHARE)
    parts = {"known": (0, known), "new": (known, count)}
    return tuple(  # type: ignore[return-value]
        _write_rows(_draw(rows, first, end), target / name) for name, (first, end) in parts.items()
    )


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


def _write_rows(tables: Iterator[pa.Table], folder: Path) -> str:
    folder.mkdir()
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{number:05d}.parquet", row_group_size=ROWS_PER_GROUP)
    return f"file://{folder}"
