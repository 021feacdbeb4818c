"""Spark job 3: writes the CSV, the rejected rows, and the outcome of each image of the run."""

import io
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark import SparkContext

from orchard_jobs.contract import OUTCOME_COLUMNS, REJECT_COLUMNS, ExportJob, Status
from orchard_jobs.errors import OrchardError
from orchard_jobs.escaping import escape_cell
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.spark_tasks import run_tasks
from orchard_jobs.storage import open_writer, refusing, write_bytes
from orchard_jobs.tables.matrices import to_matrix
from orchard_jobs.tables.parquet import (
    ROWS_PER_GROUP,
    Part,
    find_parts,
    map_parts,
    open_parquet,
    read_part,
)
from orchard_jobs.tables.schemas import OUTCOMES
from orchard_jobs.tables.sorted_runs import PathRange, Row, SortedRun, find_runs, merge_rows

LINES_AT_ONCE = 1000
END = "\r\n"
SAMPLED_PER_SHARD = 1000  # paths: enough for quantiles within a few percent


def run(context: SparkContext, job: ExportJob, metrics: JobMetrics) -> None:
    """Write ``csv/`` and ``outcomes.parquet`` and fill the metrics.

    Raises:
        OrchardError: if rows have components of different bases, or two rows have the same path.
    """
    folder = RunFolder(job.output)
    with metrics.phase("csv"):
        components, features = find_parts(*job.components), find_parts(*job.features)
        header = ["path", "label", *(f"pc{i}" for i in range(1, count_components(components) + 1))]
        names = shard_names(job.shards)
        ranges, runs = cut(context, components, job.shards), tuple(find_runs(components))
        tasks: list[Task] = [
            WriteShard(f"{folder.csv}/{name}", header, runs, a_range)
            for name, a_range in zip(names, ranges, strict=True)
        ]
        tasks.append(WriteOutcomes(folder, tuple(features)))
        *rows, rejected = run_tasks(context, tasks, lambda some: (task() for task in some))
    metrics.describe(rows=sum(rows), rejected=rejected, files=[f"{folder.csv}/{name}" for name in names])


def shard_names(shards: int) -> list[str]:
    """Return the names of the CSV files, in the order of their paths."""
    if shards == 1:
        return ["features.csv"]
    return [f"features-{place:05d}-of-{shards:05d}.csv" for place in range(1, shards + 1)]


def count_components(parts: Sequence[Part]) -> int:
    """Return the number of components, K.

    Raises:
        OrchardError: if rows have different bases or numbers of components.
    """
    found = set().union(*map_parts(_find_bases, parts))
    if len(found) != 1:
        raise OrchardError(
            f"components of {len(found)} bases",
            rule="all rows of a CSV must have the same basis",
            remedy="run reduce again on all feature folders",
        )
    return found.pop()[1]


def _find_bases(part: Part) -> set[tuple[str, int]]:
    """Return the id and number of components of each basis in a file, from its footer if possible."""
    metadata = open_parquet(part, ["path", "label", "components", "basis_id"]).metadata
    found = set()
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        cells = map(group.column, range(group.num_columns))
        columns = {cell.path_in_schema.partition(".")[0]: cell for cell in cells}
        ids = columns["basis_id"].statistics
        if ids is None or not ids.has_min_max or ids.min != ids.max:
            rows = read_part(part, ["basis_id", "components"])
            widths = pc.list_value_length(rows["components"])
            return set(zip(rows["basis_id"].to_pylist(), widths.to_pylist(), strict=True))
        if group.num_rows:
            found.add((ids.min, columns["components"].num_values // group.num_rows))
    return found


def cut(context: SparkContext, parts: Sequence[Part], shards: int) -> list[PathRange]:
    """Return ``shards`` ranges of paths with about the same number of rows; they depend only on the paths."""
    if shards == 1:
        return [PathRange()]
    rows = sum(map_parts(lambda part: open_parquet(part, ["path"]).metadata.num_rows, parts))
    step = max(1, rows // (SAMPLED_PER_SHARD * shards))
    sample = sorted(run_tasks(context, parts, partial(_sample_paths, step=step)))
    firsts = [sample[len(sample) * place // shards] if sample else "" for place in range(1, shards)]
    return [PathRange(first, end) for first, end in itertools.pairwise([None, *firsts, None])]


def _sample_paths(parts: Iterable[Part], step: int) -> Iterator[str]:
    for part in parts:
        for path in read_part(part, ["path"])["path"].to_pylist():
            if zlib.crc32(path.encode()) % step == 0:
                yield path


@dataclass(frozen=True)
class WriteShard:
    """Writes the rows of a range of paths into one CSV, sorted by path; returns their number.

    The file appears at its final URI, complete or not at all: one header per file, no folder of parts.
    """

    uri: str
    header: Sequence[str]
    runs: Sequence[SortedRun]
    where: PathRange

    def __call__(self) -> int:
        rows = merge_rows(self.runs, ["path", "label", "components"], _component_rows, self.where)
        written = 0
        with _writing(self.uri), open_writer(self.uri) as sink:
            sink.write(format_header(self.header))
            for some in _in_batches(rows, LINES_AT_ONCE):
                sink.write(to_lines(some))
                written += len(some)
        return written


@dataclass(frozen=True)
class WriteOutcomes:
    """Writes OUTCOME_COLUMNS of all images of the run, and the rejected ones as CSV; returns their number."""

    folder: RunFolder
    parts: Sequence[Part]

    def __call__(self) -> int:
        rows = merge_rows(find_runs(self.parts), [*OUTCOME_COLUMNS, "label", "error"], _outcome_rows)
        outcomes, uri, rejected = io.BytesIO(), f"{self.folder.csv}/rejects.csv", 0
        with _writing(uri), open_writer(uri) as sink:
            sink.write(format_header(REJECT_COLUMNS))
            with pq.ParquetWriter(outcomes, OUTCOMES, compression="zstd") as table:
                for some in _in_batches(rows, ROWS_PER_GROUP):
                    paths, etags, statuses, _, _ = zip(*some, strict=True)
                    table.write_table(pa.table([paths, etags, statuses], OUTCOMES))
                    bad = [row for row in some if row[2] != Status.OK]
                    sink.write(to_csv(map(_reject_cells, bad)))
                    rejected += len(bad)
        with _writing(self.folder.outcomes):
            write_bytes(self.folder.outcomes, outcomes.getvalue())
        return rejected


Task = WriteShard | WriteOutcomes


def _writing(uri: str) -> AbstractContextManager[None]:
    return refusing(
        uri, rule="the nodes must be able to write results", remedy="allow writing there, or free some space"
    )


def _in_batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while some := list(itertools.islice(rows, size)):
        yield some


def _component_rows(batch: pa.RecordBatch) -> Iterable[Row]:
    """Return path, label, and the components with nine significant digits.

    That is more precision than float32 features have, and the same on every machine.
    """
    values = to_matrix(batch["components"]) + 0.0  # no -0
    numbers = ",".join(["%.9g"] * values.shape[1])
    lines = (numbers % tuple(row) for row in values.tolist())
    return zip(batch["path"].to_pylist(), batch["label"].to_pylist(), lines, strict=True)


def _outcome_rows(batch: pa.RecordBatch) -> Iterable[Row]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def to_lines(rows: Iterable[Row]) -> bytes:
    """Format lines of path, label and unquoted numbers."""
    return "".join(f"{_quote(path)},{_quote(label)},{numbers}{END}" for path, label, numbers in rows).encode()


def to_csv(rows: Iterable[Iterable[str]]) -> bytes:
    """Format lines of quoted texts."""
    return "".join(f"{','.join(map(_quote, row))}{END}" for row in rows).encode()


def format_header(names: Iterable[str]) -> bytes:
    return f"{','.join(names)}{END}".encode()


def _reject_cells(row: Row) -> Iterable[str]:
    path, _, status, label, error = row
    return (cell or "" for cell in (path, label, status, error))


def _quote(text: str) -> str:
    """Format a text as a cell of RFC 4180 that a spreadsheet does not execute."""
    return '"' + escape_cell(text).replace('"', '""') + '"'
