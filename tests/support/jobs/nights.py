"""A lake over several nights: writes the files of the DAG, and runs the jobs on them."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from orchard_jobs import export
from orchard_jobs.contract import EARLIER_COLUMNS, ExportJob, ReduceJob, Status
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.run_folder import RunFolder
from tests.support.jobs.feature_rows import Rows, make_rows, reduce_job, write_features

K = 3
RESULTS = ("csv/features.csv", "basis/basis.npz", "basis/basis.json", "statistics/statistics.npz")


@dataclass
class Nights:
    """A lake with consecutive runs, and the ledger that the DAG would write."""

    spark: SparkSession
    lake: Path
    runs: list[str] = field(default_factory=list)
    known: dict[str, tuple[str, Status]] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)

    def folder(self, place: int) -> RunFolder:
        return RunFolder(f"file://{self.lake}/{self.runs[place]}")

    def path(self, place: int) -> Path:
        return self.lake / self.runs[place]

    def prepare(self, run: str, changed: Rows, deleted: str = "", partitions: int = 1) -> None:
        """Write the files of sense and featurize."""
        self.runs.append(run)
        write_features(self.spark, self.path(-1), changed, partitions)
        earlier = [
            (path, "e", status, of, path not in changed and path not in deleted)
            for path, (of, status) in self.known.items()
        ]
        self.write_earlier(earlier)
        for path in deleted:
            del self.known[path], self.rows[path]
        self.rows.update(changed)
        for path, row in changed.items():
            self.known[path] = (run, Status.CORRUPT if row is None else Status.OK)

    def write_earlier(self, earlier: list[tuple[Any, ...]]) -> None:
        schema = "path string, etag string, status string, run string, stays boolean"
        frame = self.spark.createDataFrame(earlier, schema)
        assert tuple(frame.columns) == EARLIER_COLUMNS
        frame.write.mode("overwrite").parquet(self.folder(-1).earlier)

    def refit(self, **arguments: Any) -> tuple[Rows, dict[str, object]]:
        if len(self.runs) == 1:
            return self.work(components=K, earlier=None, statistics=(), **arguments)
        return self.work(**{"components": K, "signs_like": self.folder(-2).basis, **arguments})

    def reuse(self, **arguments: Any) -> tuple[Rows, dict[str, object]]:
        before = self.folder(-2)
        return self.work(**{"basis": before.basis, "projected": before.components, **arguments})

    def work(self, **arguments: Any) -> tuple[Rows, dict[str, object]]:
        """Run reduce on the newest run with the state of the previous one, and export it."""
        folder = self.folder(-1)
        given = {"earlier": folder.earlier, **arguments}
        if "statistics" not in given:
            given["statistics"] = (self.folder(-2).statistics,)
        found = reduce_job(self.spark, ReduceJob(features=(folder.features,), output=folder.uri, **given))
        export_run(self.spark, folder)
        return found

    def at_once(self, name: str, **arguments: Any) -> Path:
        """Compute all current rows in a single independent run."""
        run = self.lake / name
        write_features(self.spark, run, self.rows, partitions=3)
        folder = RunFolder(f"file://{run}")
        reduce_job(self.spark, ReduceJob(features=(folder.features,), output=folder.uri, **arguments))
        export_run(self.spark, folder)
        return run


def export_run(spark: SparkSession, folder: RunFolder, shards: int = 1) -> None:
    job = ExportJob((folder.components,), (folder.features,), folder.uri, shards)
    with JobMetrics("export", folder.metrics("export")) as metrics:
        export.run(spark.sparkContext, job, metrics)


def results(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in RESULTS}


def second_night(nights: Nights) -> None:
    """New: k l m. Changed: b c. Changed and rejected: d. Now valid: z. Deleted: e."""
    changed = {**make_rows("klmbcz", 2), "d": None}
    nights.prepare("scheduled__2026-11-23T02-00-00", changed, deleted="e", partitions=2)


def third_night(nights: Nights) -> None:
    """New: n. Changed again: b. Valid again: d. Back: e. Deleted: k (of the second run), f (of the first)."""
    nights.prepare("manual__2026-11-24", make_rows("nbde", 4), deleted="kf")


def older_format() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, count=3, total=np.zeros(4), gram=np.zeros((4, 4)))
    return buffer.getvalue()
