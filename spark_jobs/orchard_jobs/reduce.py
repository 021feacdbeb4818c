"""Spark job 2: exact PCA of all rows from additive statistics, and the rows' components."""

import json
from collections.abc import Iterable, Iterator
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
from orchard_jobs.report import Report
from orchard_jobs.statistics import Statistics
from orchard_jobs.storage import read_bytes, write_bytes

STATISTICS_SCHEMA = "statistics binary"
COMPONENTS_SCHEMA = "path string, label string, components array<double>, basis_id string"
STATISTICS_TASKS = 32  # 13 MB each on the way to the driver


def run(spark: SparkSession, job: ReduceJob, report: Report) -> None:
    """Write ``components/``, ``basis/`` and ``statistics/`` and fill the report.

    Raises:
        OrchardError: when there are no good rows, or more components are asked for than can exist.
    """
    folder, job = RunFolder(job.output), with_history(job)
    rows = read_features(spark, job.features)
    current = (latest(rows) if len(job.features) > 1 else rows).where(F.col("status") == Status.OK.value)
    with report.phase("statistics"):
        change = measure_change(rows) if job.statistics else measure(current)
        write_bytes(folder.statistics, change.to_bytes())
    with report.phase("fit"):
        basis = read_basis(job.basis) if job.basis else fit(job, change)
        write_basis(folder.basis, basis)
    with report.phase("project"):
        project(current, basis).write.mode("overwrite").parquet(folder.components)
    report.describe(**basis.describe(), rows=spark.read.parquet(folder.components).count())


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
        spark.read.parquet(uri).select("path", "label", "status", "features").withColumn("run", F.lit(place))
        for place, uri in enumerate(uris)
    ]
    return fold(DataFrame.unionByName, frames)


def latest(rows: DataFrame) -> DataFrame:
    """Return the rows whose path comes in no later run."""
    last = rows.groupBy("path").agg(F.max("run").alias("run"))
    return rows.join(last, ["path", "run"], "left_semi")


def measure(rows: DataFrame) -> Statistics:
    """Return the statistics of good rows: one Gram matrix per task, summed on the driver in task order."""
    parts = rows.select("features").coalesce(STATISTICS_TASKS).mapInArrow(_measure_batches, STATISTICS_SCHEMA)
    found = [Statistics.from_bytes(bytes(part["statistics"])) for part in parts.collect()]
    if not found:
        raise OrchardError(
            "no image with features",
            rule="a basis needs one at least",
            remedy="see the rejected rows of featurize",
        )
    return fold(Statistics.__add__, found)


def measure_change(rows: DataFrame) -> Statistics:
    """Return the statistics of the newest run's good rows, less those of the rows that they replace.

    Added to the statistics of all earlier runs, they are those of the rows that now count.
    """
    newest = rows.agg(F.max("run")).collect()[0][0]
    good = rows.where(F.col("status") == Status.OK.value)
    added = measure(good.where(F.col("run") == newest))
    touched = rows.where(F.col("run") == newest).select("path")
    replaced = latest(rows.where(F.col("run") < newest)).join(touched, "path", "left_semi")
    replaced = replaced.where(F.col("status") == Status.OK.value)
    return added if replaced.isEmpty() else added - measure(replaced)


def fit(job: ReduceJob, change: Statistics) -> Basis:
    """Fit on the earlier runs' statistics and this run's, without reading their features."""
    earlier = (Statistics.from_bytes(read_bytes(uri)) for uri in job.statistics)
    return fit_basis(
        fold(Statistics.__add__, earlier, change),
        components=job.components,
        variance=job.variance,
        model_id=read_card(job.model).id if job.model else None,
    )


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
