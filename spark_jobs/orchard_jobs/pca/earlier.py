"""The feature rows that count after a run: its own, and those that it keeps from earlier runs.

A worker reads one feature file and keeps the rows that count. The driver only knows which files may have such
rows; workers read the lists of paths, limited to the range of paths in their file.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchard_jobs.contract import ReduceJob, Status
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.tables.parquet import Part, find_parts, path_range, read_groups, read_part

SCHEMA = pa.schema({"path": pa.string(), "label": pa.string(), "features": pa.list_(pa.float32())})


class Selection(Protocol):
    """Selects the rows of a file that count, by their paths."""

    def __call__(self, paths: pa.ChunkedArray) -> pa.ChunkedArray: ...


@dataclass(frozen=True)
class KnownRows:
    """Selects rows listed in EARLIER_COLUMNS that stay, or that leave.

    Args:
        earlier: Files of the list.
        run: Name of a run's folder; None for any run.
        stays: Whether to select the rows that stay, or those that leave.
    """

    earlier: tuple[Part, ...]
    run: str | None
    stays: bool

    def __call__(self, paths: pa.ChunkedArray) -> pa.ChunkedArray:
        found = pc.min_max(paths)
        overlaps = _Overlaps(found["min"].as_py(), found["max"].as_py())
        known = [self._paths(group) for part in self.earlier for group in _read_known(part, overlaps)]
        return pc.is_in(paths, value_set=pa.concat_arrays(known) if known else pa.array([], pa.string()))

    def _paths(self, group: pa.Table) -> pa.Array:
        wanted = pc.and_(pc.equal(group["status"], Status.OK.value), pc.equal(group["stays"], self.stays))
        if self.run is not None:
            wanted = pc.and_(wanted, pc.equal(group["run"], self.run))
        return group["path"].filter(wanted).combine_chunks()


@dataclass(frozen=True)
class RowsOfLast:
    """Selects rows in a manual run without a list: for a path in several folders, the last one's row counts.

    Args:
        later: Files of the folders after this one: rows with paths in them do not count.
        last: Files of the last folder, to select the rows that it replaces; None for the rows that stay.
    """

    later: tuple[Part, ...]
    last: tuple[Part, ...] | None = None

    def __call__(self, paths: pa.ChunkedArray) -> pa.ChunkedArray:
        is_left = pc.invert(_is_in(paths, self.later))
        return is_left if self.last is None else pc.and_(is_left, _is_in(paths, self.last))


@dataclass(frozen=True)
class FeaturePart:
    """A file of features, and which of its rows count.

    Args:
        part: The file.
        selection: None for all rows that have features.
    """

    part: Part
    selection: Selection | None = None

    def read(self) -> pa.Table:
        """Return ``path``, ``label`` and ``features`` of the rows that count, in the file's order.

        Features, which make up most of a file, are not read if none of its rows counts.
        """
        rows = read_part(self.part, ["path", "label", "status"])
        counts = pc.equal(rows["status"], Status.OK.value)
        if self.selection is not None and len(rows):
            counts = pc.and_(counts, self.selection(rows["path"]))
        if not pc.any(counts).as_py():
            return SCHEMA.empty_table()
        return read_part(self.part, SCHEMA.names).filter(counts)


@dataclass(frozen=True)
class FeatureRows:
    """The locations of the rows that count. Files that are not read need not exist.

    Args:
        new: Files of this run.
        staying: Folders of earlier runs, each with a selection of the rows that still count.
        leaving: Folders of earlier runs, each with a selection of the rows that no longer count.
    """

    new: Sequence[FeaturePart]
    staying: Sequence[tuple[str, Selection]] = ()
    leaving: Sequence[tuple[str, Selection]] = ()

    def find_counting(self) -> list[FeaturePart]:
        """Return the files of all rows that count after this run.

        Raises:
            OrchardError: if a folder does not exist.
        """
        return [*self.new, *_parts_of(self.staying)]

    def find_leaving(self) -> list[FeaturePart]:
        """Return the files of the rows that counted before this run and no longer do."""
        return _parts_of(self.leaving)


def find_rows(job: ReduceJob) -> FeatureRows:
    """Find the rows in the feature folders of the job and of the runs beside its output.

    Raises:
        OrchardError: if a folder does not exist.
    """
    new = [FeaturePart(part) for part in find_parts(job.features[-1])]
    if job.earlier:
        runs = RunFolder(job.output).uri.rpartition("/")[0]
        known = tuple(find_parts(job.earlier))
        pairs = sorted(_runs_of(known))
        staying, leaving = (
            [
                (RunFolder(f"{runs}/{run}").features, KnownRows(known, run, stays))
                for run, stays in pairs
                if stays is wanted
            ]
            for wanted in (True, False)
        )
        return FeatureRows(new, staying, leaving)
    return _one_after_the_other(new, job.features)


def _one_after_the_other(new: Sequence[FeaturePart], features: tuple[str, ...]) -> FeatureRows:
    folders = [tuple(find_parts(uri)) for uri in features]
    last = folders[-1]
    staying: list[tuple[str, Selection]] = []
    leaving: list[tuple[str, Selection]] = []
    for place, uri in enumerate(features[:-1]):
        between = tuple(part for folder in folders[place + 1 : -1] for part in folder)
        staying.append((uri, RowsOfLast((*between, *last))))
        leaving.append((uri, RowsOfLast(between, last)))
    return FeatureRows(new, staying, leaving)


def _parts_of(folders: Iterable[tuple[str, Selection]]) -> list[FeaturePart]:
    return [FeaturePart(part, selection) for uri, selection in folders for part in find_parts(uri)]


def _runs_of(earlier: Iterable[Part]) -> set[tuple[str, bool]]:
    """Return the runs in the list that have rows with features, with whether these stay."""
    found: set[tuple[str, bool]] = set()
    for part in earlier:
        for group in read_groups(part, ["run", "stays", "status"]):
            good = group.filter(pc.equal(group["status"], Status.OK.value))
            pairs = good.group_by(["run", "stays"], use_threads=False).aggregate([])
            found |= set(zip(pairs["run"].to_pylist(), pairs["stays"].to_pylist(), strict=True))
    return found


@dataclass(frozen=True)
class _Overlaps:
    """Tests whether a row group may have paths from ``first`` to ``last``."""

    first: str
    last: str

    def __call__(self, group: pq.RowGroupMetaData) -> bool:
        found = path_range(group)
        return found is None or (found[0] <= self.last and self.first <= found[1])


def _read_known(part: Part, overlaps: _Overlaps) -> Iterator[pa.Table]:
    return read_groups(part, ["path", "run", "stays", "status"], overlaps)


def _is_in(paths: pa.ChunkedArray, parts: Iterable[Part]) -> pa.ChunkedArray:
    found = pc.min_max(paths)
    overlaps = _Overlaps(found["min"].as_py(), found["max"].as_py())
    groups = [
        group["path"].combine_chunks() for part in parts for group in read_groups(part, ["path"], overlaps)
    ]
    return pc.is_in(paths, value_set=pa.concat_arrays(groups) if groups else pa.array([], pa.string()))
