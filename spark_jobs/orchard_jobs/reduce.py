"""Spark job 2: exact PCA of all rows from additive statistics, and the rows' components."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce as fold

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (the field's own spelling)

from orchard_jobs.basis import Basis, fit_basis, read_basis, write_basis
from orchard_jobs.contract import ReduceJob, RunFolder, Status
from orchard_jobs.errors import OrchardError
from orchard_jobs.model_card import read_card
from orchard_jobs.parquet import read_parquet
from orchard_jobs.report import Report
from orchard_jobs.statistics import Statistics
from orchard_jobs.storage import read_bytes, write_bytes

STATISTICS_SCHEMA = "statistics binary"
COMPONENTS_SCHEMA = "path string, label string, components array<double>, basis_id string"
STATISTICS_TASKS = 32  # 13 MB each on the way to the driver


def run(spark: SparkSession, job: ReduceJob, report: Report) -> None:
    """Write ``components/``, ``basis/`` and ``statistics/`` and fill the report.

    Raises:
        OrchardError: when there are no good rows, more components are asked for than can exist, or the
            statistics are not those of the rows.
    """
    folder, job = RunFolder(job.output), with_history(job)
    rows = read_features(spark, job.features)
    current = (latest(rows) if len(job.features) > 1 else rows).where(F.col("status") == Status.OK.value)
    with report.phase("statistics"):
        earlier = read_statistics(job)
        change = measure_change(rows, len(job.features) - 1) if earlier else measure(current)
        total = add_up([*earlier, change])
        write_bytes(folder.statistics, (change or Statistics.zero(total.features)).to_bytes())
    with report.phase("fit"):
        basis = find_basis(job, total)
        write_basis(folder.basis, basis)
    with report.phase("project"):
        project(current, basis).write.mode("overwrite").parquet(folder.components)
    written = read_parquet(spark, folder.components).count()
    report.describe(**basis.describe(), rows=written)
    _refuse_drift(written, total)


def with_history(job: ReduceJob) -> ReduceJob:
    """Return the job with the runs of its history among its features and statistics."""
    if not job.history:
        return job
    runs = [RunFolder(uri) for uri in json.loads(read_bytes(job.history))]
    return replace(
        job,
        features=(*(run.features for run in runs), *job.features),
        statistics=(*(run.statistics for run in runs), *job.statistics),
        history=None,
    )


def read_features(spark: SparkSession, uris: tuple[str, ...]) -> DataFrame:
    """Return the rows of all feature folders, with ``run``, the place of their folder in ``uris``."""
    frames = [
        read_parquet(spark, uri).select("path", "label", "status", "features").withColumn("run", F.lit(place))
        for place, uri in enumerate(uris)
    ]
    return fold(DataFrame.unionByName, frames)


def latest(rows: DataFrame) -> DataFrame:
    """Return the rows whose path comes in no later run."""
    last = rows.groupBy("path").agg(F.max("run").alias("run"))
    return rows.join(last, ["path", "run"], "left_semi")


def read_statistics(job: ReduceJob) -> list[Statistics]:
    """Return what the earlier runs measured: small files, instead of their features."""
    try:
        return [Statistics.from_bytes(read_bytes(uri)) for uri in job.statistics]
    except (OSError, ValueError, KeyError) as error:
        raise OrchardError(
            f"--statistics that cannot be read ({error})",
            rule="each is the statistics.npz of an earlier run",
            remedy="leave --statistics out, to measure all features again",
        ) from error


def measure(rows: DataFrame) -> Statistics | None:
    """Return the statistics of good rows: one Gram matrix per task, summed on the driver in task order.

    None where there is no row, and so nobody knows how many features one has.
    """
    parts = rows.select("features").coalesce(STATISTICS_TASKS).mapInArrow(_measure_batches, STATISTICS_SCHEMA)
    found = [Statistics.from_bytes(bytes(part["statistics"])) for part in parts.collect()]
    return fold(Statistics.__add__, found) if found else None


def measure_change(rows: DataFrame, newest: int) -> Statistics | None:
    """Return the statistics of the newest run's good rows, less those of the rows that they replace.

    Added to the statistics of all earlier runs, they are those of the rows that now count.
    """
    good = F.col("status") == Status.OK.value
    touched = rows.where(F.col("run") == newest).select("path")
    replaced = latest(rows.where(F.col("run") < newest)).where(good).join(touched, "path", "left_semi")
    added, removed = measure(rows.where(good & (F.col("run") == newest))), measure(replaced)
    if removed is None:
        return added
    return (added or Statistics.zero(removed.features)) - removed


def add_up(parts: Sequence[Statistics | None]) -> Statistics:
    """Return the statistics of all parts together.

    Raises:
        OrchardError: when no part has a row.
    """
    found = [part for part in parts if part]
    if not found:
        raise OrchardError(
            "no image with features",
            rule="a basis needs one at least",
            remedy="see the rejected rows of featurize",
        )
    return fold(Statistics.__add__, found)


def find_basis(job: ReduceJob, total: Statistics) -> Basis:
    """Fit, or read the basis that the job names.

    Raises:
        OrchardError: where there is nothing to fit on, or the basis is one of another model.
    """
    model_id = read_card(job.model).id if job.model else None
    if not job.basis:
        return fit_basis(total, components=job.components, variance=job.variance, model_id=model_id)
    basis = read_basis(job.basis)
    if model_id and basis.model_id not in (None, model_id):
        raise OrchardError(
            f"--basis={job.basis} of the model {basis.model_id}",
            rule=f"the features are of the model {model_id}",
            remedy="use a basis of the same model, or refit with --components",
        )
    return basis


def project(rows: DataFrame, basis: Basis) -> DataFrame:
    """Return COMPONENT_COLUMNS of good rows."""

    def project_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            projected = basis.project(_to_matrix(batch["features"]))
            yield pa.RecordBatch.from_pydict(
                {
                    "path": batch["path"],
                    "label": batch["label"],
                    "components": _to_lists(projected),
                    "basis_id": pa.array([basis.id] * len(batch), pa.string()),
                }
            )

    return rows.select("path", "label", "features").mapInArrow(project_batches, COMPONENTS_SCHEMA)


def _refuse_drift(rows: int, total: Statistics) -> None:
    """The statistics of a history add up to its rows, or someone has changed one of its runs."""
    if total.count != rows:
        raise OrchardError(
            f"statistics of {total.count} rows for {rows} rows",
            rule="those of the history and of this run add up to the rows that count now",
            remedy="run reduce without --statistics and --history, on all feature folders",
        )


def _measure_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    measured = [Statistics.of(_to_matrix(batch["features"])) for batch in batches if len(batch)]
    if measured:
        data = fold(Statistics.__add__, measured).to_bytes()
        yield pa.RecordBatch.from_pydict({"statistics": pa.array([data], pa.binary())})


def _to_matrix(lists: pa.ListArray) -> npt.NDArray[np.float32]:
    """View a column of equally long lists as a matrix (n, d)."""
    matrix: npt.NDArray[np.float32] = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)
    return matrix


def _to_lists(matrix: npt.NDArray[np.float64]) -> pa.ListArray:
    offsets = np.arange(len(matrix) + 1, dtype=np.int32) * matrix.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(matrix.ravel(), pa.float64()))
