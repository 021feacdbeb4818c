"""The statistics of the rows that count: of the run before, updated, or measured again from all features."""

import sys
from collections.abc import Iterable, Iterator
from functools import reduce as fold

import pyarrow as pa
from pyspark.sql import DataFrame

from orchard_jobs.errors import OrchardError
from orchard_jobs.pca.earlier import FeatureRows
from orchard_jobs.pca.matrices import to_matrix
from orchard_jobs.pca.statistics import Statistics
from orchard_jobs.storage import read_bytes

SCHEMA = "statistics binary"
PARTS = 32  # of 10 MB each on the way to the driver


def update_statistics(rows: FeatureRows, before: Statistics) -> Statistics:
    """Return the statistics of the rows that count, from those of the rows that counted before."""
    added, leaving = measure(rows.new), rows.find_leaving()
    removed = None if leaving is None else measure(leaving)
    total = before + added if added else before
    return total - removed if removed else total


def measure_all(rows: FeatureRows) -> Statistics:
    """Return the statistics of the rows that count: what ``update_statistics`` returns, to the last bit.

    Raises:
        OrchardError: where there is no such row.
    """
    measured = measure(rows.find_counting())
    if measured is None:
        raise OrchardError(
            "no image with features",
            rule="a basis needs one at least",
            remedy="see the rejected rows of featurize",
        )
    return measured


def read_statistics(uris: tuple[str, ...]) -> Statistics | None:
    """Return the sum of stored statistics, or None where there are none, or not all can be read."""
    try:
        found = [Statistics.from_bytes(read_bytes(uri)) for uri in uris]
    except (OSError, ValueError) as error:
        print(f"orchard: {error}. All features are measured again.", file=sys.stderr)
        return None
    return fold(Statistics.__add__, found) if found else None


def measure(rows: DataFrame) -> Statistics | None:
    """Return the statistics of good rows, or None where there is none: nobody knows their length then.

    Every core measures. On many, what they measured is added up on the executors first.
    """
    cores = rows.sparkSession.sparkContext.defaultParallelism
    parts = rows.select("features").coalesce(max(cores, PARTS)).mapInArrow(_measure_batches, SCHEMA)
    if cores > PARTS:
        parts = parts.repartition(PARTS).mapInArrow(_add_batches, SCHEMA)
    found = [Statistics.from_bytes(bytes(part["statistics"])) for part in parts.collect()]
    return fold(Statistics.__add__, found) if found else None


def _measure_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from _sum(Statistics.of(to_matrix(batch["features"])) for batch in batches if len(batch))


def _add_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    parts = (part for batch in batches for part in batch["statistics"])
    yield from _sum(Statistics.from_bytes(part.as_py()) for part in parts)


def _sum(parts: Iterable[Statistics]) -> Iterator[pa.RecordBatch]:
    """Yield one row, or none where there is no part. One part after the other: each has 10 MB."""
    total: Statistics | None = None
    for part in parts:
        total = total + part if total else part
    if total:
        yield pa.RecordBatch.from_pydict({"statistics": pa.array([total.to_bytes()], pa.binary())})
