"""Spark job 3: what readers get: the CSV, the rejected rows, and what became of each image of the run."""

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (the field's own spelling)

from orchard_jobs.contract import OUTCOME_COLUMNS, REJECT_COLUMNS, ExportJob, Status
from orchard_jobs.csv_cells import escape_cell
from orchard_jobs.errors import OrchardError
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.parquet import read_parquet
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.storage import open_writer, write_bytes

ROWS_AT_ONCE = 1000  # as Python objects; up to 1280 numbers each
SAMPLED_PER_SHARD = 1000  # paths: their quantiles are within some percent of those of all
WRITTEN_SCHEMA = "file string, rows long"

FormatRow = Callable[[dict[str, Any]], Sequence[str]]


def run(spark: SparkSession, job: ExportJob, metrics: JobMetrics) -> None:
    """Write ``csv/`` and ``outcomes.parquet`` and fill the metrics.

    Raises:
        OrchardError: when the rows have components of different bases, or two have the same path.
    """
    folder = RunFolder(job.output)
    components = read_parquet(spark, *job.components)
    outcomes = read_parquet(spark, *job.features).select("path", "label", "etag", "status", "error")
    with metrics.phase("csv"):
        header = ["path", "label", *(f"pc{i}" for i in range(1, count_components(components) + 1))]
        names = shard_names(job.shards)
        rows = write_csv(components, folder.csv, names, header, format_components)
    with metrics.phase("rejects"):
        rejected = outcomes.where(F.col("status") != Status.OK.value)
        rejects = write_csv(rejected, folder.csv, ["rejects.csv"], REJECT_COLUMNS, format_reject)
    with metrics.phase("outcomes"):
        write_outcomes(outcomes, folder.outcomes)
    metrics.describe(rows=rows, rejected=rejects, files=[f"{folder.csv}/{name}" for name in names])


def shard_names(shards: int) -> list[str]:
    """Return the CSV files' names, in the order of the paths in them."""
    if shards == 1:
        return ["features.csv"]
    return [f"features-{place:05d}-of-{shards:05d}.csv" for place in range(1, shards + 1)]


def count_components(components: DataFrame) -> int:
    """Return K.

    Raises:
        OrchardError: where the rows do not agree on it, or on their basis.
    """
    found = components.select(F.size("components").alias("k"), "basis_id").distinct().limit(2).collect()
    if len(found) != 1:
        raise OrchardError(
            f"components of {len(found)} bases",
            rule="one CSV has rows of exactly one basis",
            remedy="run reduce again on all feature folders",
        )
    return int(found[0]["k"])


def write_csv(
    rows: DataFrame, folder: str, names: Sequence[str], header: Sequence[str], format_row: FormatRow
) -> int:
    """Write ``rows`` by path into one CSV file per name and return how many they are.

    Every file is written by the task that sorted its rows, straight to its place and whole or not
    at all; so there is one header a file, and no folder of parts. A task that is retried, or works on
    other partitions, writes the same bytes: paths are unique, and where one file ends depends on them alone.
    """

    def write_shard(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        name = names[TaskContext.get().partitionId()]  # type: ignore[union-attr]
        written = 0
        with open_writer(f"{folder}/{name}") as sink:
            sink.write(to_csv([header]))
            for rows_now in _refuse_twins(_in_pieces(batches)):
                sink.write(to_csv([format_row(row) for row in rows_now]))
                written += len(rows_now)
        yield pa.RecordBatch.from_pydict({"file": [name], "rows": pa.array([written], pa.int64())})

    shards = into_shards(rows, len(names)).sortWithinPartitions("path")
    written = shards.mapInArrow(write_shard, WRITTEN_SCHEMA).collect()
    for name in set(names) - {row["file"] for row in written}:  # Spark starts no task for no rows
        write_bytes(f"{folder}/{name}", to_csv([header]))
    return sum(row["rows"] for row in written)


def into_shards(rows: DataFrame, shards: int) -> DataFrame:
    """Return ``rows`` in as many partitions: ranges of paths, of about the same number of rows each.

    ``repartitionByRange`` would cut by a sample that depends on how the rows are partitioned now; this
    one depends on the paths alone.
    """
    if shards == 1:
        return rows.repartition(1)
    step = max(1, rows.count() // (SAMPLED_PER_SHARD * shards))
    is_sampled = F.pmod(F.xxhash64("path"), F.lit(step)) == 0
    sample = [row["path"] for row in rows.select("path").where(is_sampled).orderBy("path").collect()]
    firsts = [sample[len(sample) * place // shards] for place in range(1, shards)] if sample else []
    shard = F.size(
        F.filter(F.array(*map(F.lit, firsts)).cast("array<string>"), lambda first: first <= F.col("path"))
    )
    return rows.repartitionById(shards, shard)


def _in_pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[list[dict[str, Any]]]:
    for batch in batches:
        for start in range(0, len(batch), ROWS_AT_ONCE):
            yield batch.slice(start, ROWS_AT_ONCE).to_pylist()


def _refuse_twins(pieces: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    last = None
    for rows in pieces:
        paths = [last, *(row["path"] for row in rows)]
        for path, following in itertools.pairwise(paths):
            if path == following:
                raise OrchardError(
                    f"two rows of {path!r}",
                    rule="every image has one",
                    remedy="name folders of one run; what it computed anew must not stay from an earlier one",
                )
        last = paths[-1]
        yield rows


def format_components(row: dict[str, Any]) -> list[str]:
    """Nine significant digits: more than the float32 features hold, and the same on every machine."""
    named = (escape_cell(row[column]) for column in ("path", "label"))
    return [*named, *(f"{value + 0.0:.9g}" for value in row["components"])]


def format_reject(row: dict[str, Any]) -> list[str]:
    return [escape_cell(row[column] or "") for column in REJECT_COLUMNS]


def to_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Return RFC 4180 lines in UTF-8."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def write_outcomes(outcomes: DataFrame, uri: str) -> None:
    """Write OUTCOME_COLUMNS of every image this run dealt with, as one Parquet object."""
    table = outcomes.select(*OUTCOME_COLUMNS).orderBy("path").toArrow()
    buffer = io.BytesIO()
    pq.write_table(table.combine_chunks(), buffer, compression="zstd")
    write_bytes(uri, buffer.getvalue())
