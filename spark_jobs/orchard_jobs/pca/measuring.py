"""The statistics of the rows that count: updated from the previous run, or measured from all features."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce as fold
from itertools import chain

import numpy as np
from pyspark import SparkContext

from orchard_jobs.errors import OrchardError
from orchard_jobs.pca.earlier import FeaturePart, FeatureRows
from orchard_jobs.pca.statistics import Matrix32, Statistics
from orchard_jobs.spark_tasks import map_items, raising_errors_of_workers, split_evenly
from orchard_jobs.storage import read_bytes
from orchard_jobs.tables.matrices import to_matrix

PARTS = 32  # of 10 MB each, sent to the driver
ROWS_AT_ONCE = 8192  # 42 MB; the fixed cost of a measurement equals that of 1,000 rows
BYTES_PER_TASK = 2**28  # of features: ten seconds of CPU time


def update_statistics(context: SparkContext, rows: FeatureRows, before: Statistics) -> Statistics:
    """Update the statistics of the rows that counted before this run to those that count after it."""
    added, removed = measure(context, rows.new), measure(context, rows.find_leaving())
    total = before + added if added else before
    return total - removed if removed else total


def measure_all(context: SparkContext, rows: FeatureRows) -> Statistics:
    """Measure all rows that count; the result equals that of ``update_statistics``, to the last bit.

    Raises:
        OrchardError: if there are no such rows.
    """
    measured = measure(context, rows.find_counting())
    if measured is None:
        raise OrchardError(
            "no image with features",
            rule="a basis needs at least one",
            remedy="see the rejected rows of featurize",
        )
    return measured


def read_statistics(uris: tuple[str, ...]) -> Statistics | None:
    """Return the sum of stored statistics; None if there are none, or one cannot be read."""
    try:
        found = [Statistics.from_bytes(read_bytes(uri)) for uri in uris]
    except (OSError, ValueError) as error:
        print(f"orchard: {error}. Measuring all features again.", file=sys.stderr)
        return None
    return fold(Statistics.__add__, found) if found else None


def measure(context: SparkContext, parts: Sequence[FeaturePart]) -> Statistics | None:
    """Return the statistics of the rows of ``parts``; None without rows, whose length would be unknown.

    There is at least one task per core, and more for large inputs. The results of many tasks are first added
    up on the executors.
    """
    if not parts:
        return None
    sizes = [part.part.size for part in parts]
    tasks = split_evenly(parts, sizes, max(context.defaultParallelism, sum(sizes) // BYTES_PER_TASK))
    with raising_errors_of_workers():
        measured = map_items(context, tasks, len(tasks), _measure_parts)
        if len(tasks) > PARTS:
            measured = measured.repartition(PARTS).mapPartitions(_sum_bytes)
        found = measured.collect()
    return fold(Statistics.__add__, map(Statistics.from_bytes, found)) if found else None


def _measure_parts(tasks: Iterable[Sequence[FeaturePart]]) -> Iterator[bytes]:
    parts = chain.from_iterable(tasks)
    yield from _sum(Statistics.of(rows) for rows in _matrices(parts))


def _matrices(parts: Iterable[FeaturePart]) -> Iterator[Matrix32]:
    """Yield the features of the rows of all parts, about ROWS_AT_ONCE at a time."""
    held: list[Matrix32] = []
    for part in parts:
        for batch in part.read().to_batches():
            if len(batch):
                held.append(to_matrix(batch["features"]))
        if sum(map(len, held)) >= ROWS_AT_ONCE:
            yield from _join(held)
            held = []
    yield from _join(held)


def _join(held: list[Matrix32]) -> Iterator[Matrix32]:
    """Yield them as one matrix; or each alone if their lengths differ, which adding them up then reports."""
    if len({matrix.shape[1] for matrix in held}) == 1:
        yield np.concatenate(held)
    else:
        yield from held


def _sum_bytes(parts: Iterable[bytes]) -> Iterator[bytes]:
    yield from _sum(map(Statistics.from_bytes, parts))


def _sum(parts: Iterable[Statistics]) -> Iterator[bytes]:
    """Yield the sum, or nothing without parts. Adds one part at a time, because each has 10 MB."""
    total: Statistics | None = None
    for part in parts:
        total = total + part if total else part
    if total:
        yield total.to_bytes()
