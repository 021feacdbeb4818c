"""Which feature rows count after a run: its own, and those of earlier runs that it leaves as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce as fold

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (the field's own spelling)

from orchard_jobs.contract import ReduceJob, Status
from orchard_jobs.parquet import read_parquet
from orchard_jobs.run_folder import RunFolder

RUN_OF_FILE = r"([^/]+)/features/[^/]+$"
IS_GOOD = f"status = '{Status.OK.value}'"


@dataclass(frozen=True)
class FeatureRows:
    """Rows ``path, label, features`` whose status is ok.

    Args:
        new: Of this run.
        find_staying: Returns those of earlier runs that counted before and still do; None for none.
        find_leaving: Returns those of earlier runs that counted before and no longer do; None for none.
            Folders that nobody asks for need not be there.
    """

    new: DataFrame
    find_staying: Callable[[], DataFrame | None] = lambda: None
    find_leaving: Callable[[], DataFrame | None] = lambda: None

    def find_counting(self) -> DataFrame:
        """Return all rows that count after this run."""
        staying = self.find_staying()
        return self.new if staying is None else self.new.unionByName(staying)


def find_rows(spark: SparkSession, job: ReduceJob) -> FeatureRows:
    """Find the rows in the feature folders of the job and of the runs beside its output.

    Raises:
        OrchardError: where a folder is not there.
    """
    if job.earlier:
        return _beside(spark, job.features[-1], job.earlier, RunFolder(job.output).uri.rpartition("/")[0])
    if len(job.features) > 1:
        return _one_after_the_other(spark, job.features)
    return FeatureRows(_good(read_parquet(spark, *job.features)))


def staying_components(spark: SparkSession, projected: str, earlier: str) -> DataFrame:
    """Return the rows of the component folder ``projected`` that still count."""
    staying = _known(spark, earlier).where("stays").select("path")
    return read_parquet(spark, projected).join(staying, "path", "left_semi")


def _beside(spark: SparkSession, features: str, earlier: str, runs: str) -> FeatureRows:
    """By the list of earlier rows, whose run folders are in the folder ``runs``."""
    known = _known(spark, earlier)
    pairs = known.select("run", "stays").distinct().collect()

    def rows_that(stays: bool) -> DataFrame | None:
        uris = [RunFolder(f"{runs}/{row['run']}").features for row in pairs if row["stays"] is stays]
        if not uris:
            return None
        wanted = known.where(F.col("stays") == stays).select("path", "run")
        # One scan: the plan of a union grows with the number of runs.
        run = F.regexp_extract(F.col("_metadata.file_path"), RUN_OF_FILE, 1)
        rows = read_parquet(spark, *sorted(uris)).withColumn("run", run)
        return _good(rows.join(wanted, ["path", "run"], "left_semi"))

    return FeatureRows(
        _good(read_parquet(spark, features)), lambda: rows_that(True), lambda: rows_that(False)
    )


def _one_after_the_other(spark: SparkSession, features: tuple[str, ...]) -> FeatureRows:
    """By hand, without a list: of a path in several folders, the last one's row counts."""
    rows = fold(
        DataFrame.unionByName,
        (
            # By name: features of before there were thumbnails have a column less.
            read_parquet(spark, uri)
            .select("path", "label", "status", "features")
            .withColumn("place", F.lit(place))
            for place, uri in enumerate(features)
        ),
    )
    is_new = F.col("place") == len(features) - 1
    touched, before = rows.where(is_new).select("path"), rows.where(~is_new)
    last = before.groupBy("path").agg(F.max("place").alias("place"))
    known = before.join(last, ["path", "place"], "left_semi")
    return FeatureRows(
        _good(rows.where(is_new)),
        lambda: _good(known.join(touched, "path", "left_anti")),
        lambda: _good(known.join(touched, "path", "left_semi")),
    )


def _known(spark: SparkSession, earlier: str) -> DataFrame:
    return read_parquet(spark, earlier).where(IS_GOOD).select("path", "run", "stays")


def _good(rows: DataFrame) -> DataFrame:
    return rows.where(IS_GOOD).select("path", "label", "features")
