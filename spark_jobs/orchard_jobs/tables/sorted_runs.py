"""Merges the rows of many Parquet files by path, one row group of each file at a time.

Files whose ranges of paths follow each other, like those of one job, form a chain, of which only one file is
open at a time. Unsorted files, which Spark wrote in earlier versions, are sorted in memory.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchard_jobs.errors import OrchardError
from orchard_jobs.tables.parquet import (
    Part,
    map_parts,
    open_parquet,
    path_range,
    read_groups,
    read_part,
    sort_by_path,
)

ROWS_AT_ONCE = 1024  # as Python objects; up to 1280 numbers each

Row = tuple[Any, ...]
ToRows = Callable[[pa.RecordBatch], Iterable[Row]]
"""Turns a batch into tuples that begin with the path."""


@dataclass(frozen=True)
class SortedRun:
    """A file, and the range of its paths from its footer.

    Args:
        part: The file.
        first: Its lowest path.
        last: Its highest path.
        is_sorted: Whether its rows are sorted by path.
    """

    part: Part
    first: str
    last: str
    is_sorted: bool


@dataclass(frozen=True)
class PathRange:
    """Paths from ``first`` on, and below ``end``; None for no bound."""

    first: str | None = None
    end: str | None = None

    def may_hold(self, first: str, last: str) -> bool:
        """Return whether a path from ``first`` to ``last`` may be in the range."""
        return (self.end is None or first < self.end) and (self.first is None or last >= self.first)

    def filter(self, rows: pa.Table) -> pa.Table:
        """Return the rows whose path is in the range."""
        if self.first is not None:
            rows = rows.filter(pc.greater_equal(rows["path"], self.first))
        if self.end is not None:
            rows = rows.filter(pc.less(rows["path"], self.end))
        return rows


EVERYTHING = PathRange()


def merge_rows(
    runs: Sequence[SortedRun], columns: Sequence[str], to_rows: ToRows, where: PathRange = EVERYTHING
) -> Iterator[Row]:
    """Yield the rows of all files, sorted by path.

    Args:
        columns: Columns to read; the first is ``path``.

    Raises:
        OrchardError: if two rows have the same path.
    """
    chains = [_rows_of_chain(chain, columns, to_rows, where) for chain in _chain(runs)]
    last = None
    for row in heapq.merge(*chains, key=itemgetter(0)):
        if row[0] == last:
            raise OrchardError(
                f"two rows of {last!r}",
                rule="every image must have one row",
                remedy="name folders of one run, without earlier rows of images that it has recomputed",
            )
        last = row[0]
        yield row


def find_runs(parts: Sequence[Part]) -> list[SortedRun]:
    """Read the footers of all files; leave out files without rows."""
    return [run for run in map_parts(_find_run, parts) if run]


def _find_run(part: Part) -> SortedRun | None:
    metadata = open_parquet(part, ["path"]).metadata
    if not metadata.num_rows:
        return None
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    ranges = [path_range(group) for group in groups if group.num_rows]
    known = [found for found in ranges if found]
    if len(known) < len(ranges):
        paths = read_part(part, ["path"])["path"]
        found = pc.min_max(paths)
        return SortedRun(part, found["min"].as_py(), found["max"].as_py(), is_sorted=False)
    is_sorted = all(map(_is_sorted, groups)) and all(a[1] <= b[0] for a, b in itertools.pairwise(known))
    return SortedRun(part, min(first for first, _ in known), max(last for _, last in known), is_sorted)


def _is_sorted(group: pq.RowGroupMetaData) -> bool:
    return any(group.column(by.column_index).path_in_schema == "path" for by in group.sorting_columns[:1])


def _chain(runs: Sequence[SortedRun]) -> list[list[SortedRun]]:
    """Group files whose paths follow each other into the smallest number of chains."""
    chains: list[list[SortedRun]] = []
    for run in sorted(runs, key=lambda run: (run.first, run.last)):
        chain = next((chain for chain in chains if chain[-1].last < run.first), None)
        if chain is None:
            chains.append([run])
        else:
            chain.append(run)
    return chains


def _rows_of_chain(
    chain: Iterable[SortedRun], columns: Sequence[str], to_rows: ToRows, where: PathRange
) -> Iterator[Row]:
    for run in chain:
        if where.may_hold(run.first, run.last):
            for table in _read_sorted(run, columns, where):
                for batch in where.filter(table).to_batches(ROWS_AT_ONCE):
                    yield from to_rows(batch)


def _read_sorted(run: SortedRun, columns: Sequence[str], where: PathRange) -> Iterator[pa.Table]:
    if not run.is_sorted:
        yield sort_by_path(read_part(run.part, columns))
        return

    def is_wanted(group: pq.RowGroupMetaData) -> bool:
        found = path_range(group)
        return found is None or where.may_hold(*found)

    yield from read_groups(run.part, columns, is_wanted)
