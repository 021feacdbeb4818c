"""Builds feature rows in the unsorted order of earlier versions, and runs reduce on them."""

from pathlib import Path

import numpy as np
from pyspark.sql import SparkSession

from orchard_jobs import reduce
from orchard_jobs.contract import COMPONENT_COLUMNS, ReduceJob, Status, label_of
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.run_folder import RunFolder

FEATURES_SCHEMA = (
    "path string, label string, etag string, width int, height int, "
    "status string, error string, features array<float>, thumbnail binary"
)
COMPONENTS_SCHEMA = "path string, label string, components array<double>, basis_id string"

Rows = dict[str, np.ndarray | None]
"""Features by path; None if the image was rejected."""


def make_rows(names: str, seed: int = 3, features: int = 8) -> Rows:
    """Correlated features of one image per letter."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(features, features))
    return {name: (generator.normal(size=features) @ mixing + 2).astype(np.float32) for name in names}


def write_features(spark: SparkSession, run: Path, rows: Rows, partitions: int = 1) -> None:
    content = [
        (path, label_of(path), "e", 1, 1, Status.CORRUPT.value, "bad", None, None)
        if row is None
        else (path, label_of(path), "e", 1, 1, Status.OK.value, None, row.tolist(), None)
        for path, row in rows.items()
    ]
    frame = spark.createDataFrame(content, FEATURES_SCHEMA).repartition(partitions)
    frame.write.parquet(f"file://{run}/features")


def reduce_run(
    spark: SparkSession, run: Path, *before: Path, **arguments: object
) -> tuple[Rows, dict[str, object]]:
    """Run reduce after the runs ``before``; return the components by path and the metrics."""
    last = [RunFolder(f"file://{folder}").statistics for folder in before[-1:]]
    job = ReduceJob(
        features=tuple(f"file://{folder}/features" for folder in (*before, run)),
        statistics=tuple(last),
        output=f"file://{run}",
        **arguments,  # type: ignore[arg-type]
    )
    return reduce_job(spark, job)


def reduce_job(spark: SparkSession, job: ReduceJob) -> tuple[Rows, dict[str, object]]:
    metrics = JobMetrics("reduce", RunFolder(job.output).metrics("reduce"))
    with metrics:
        reduce.run(spark.sparkContext, job, metrics)
    written = spark.read.parquet(RunFolder(job.output).components)
    assert tuple(written.columns) == COMPONENT_COLUMNS
    rows = written.collect()
    assert {row["basis_id"] for row in rows} == {metrics._content["basis_id"]}
    return {row["path"]: np.array(row["components"]) for row in rows}, metrics._content
