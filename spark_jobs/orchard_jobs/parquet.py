"""Reads the Parquet folders that an earlier job wrote, or says clearly that there are none."""

from functools import reduce as fold

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from orchard_jobs.errors import OrchardError


def read_parquet(spark: SparkSession, uri: str) -> DataFrame:
    """Read one file or folder.

    Raises:
        OrchardError: where there is none, or it holds no Parquet.
    """
    try:
        return spark.read.parquet(uri)
    except AnalysisException as error:
        raise OrchardError(
            f"no Parquet at {uri} ({error.getCondition()})",
            rule="it is what an earlier job, or the listing, wrote",
            remedy="check the URI, and that the job before succeeded",
        ) from error


def read_all(spark: SparkSession, uris: tuple[str, ...]) -> DataFrame:
    """Read several folders as one table."""
    return fold(DataFrame.unionByName, [read_parquet(spark, uri) for uri in uris])
