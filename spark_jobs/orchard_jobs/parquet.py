"""Reads the Parquet folders that an earlier job wrote, or says clearly that there are none."""

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from orchard_jobs.errors import OrchardError


def read_parquet(spark: SparkSession, *uris: str) -> DataFrame:
    """Read files or folders of the same columns as one table.

    Raises:
        OrchardError: where one is not there, or holds no Parquet.
    """
    try:
        return spark.read.parquet(*uris)
    except AnalysisException as error:
        missing = (error.getMessageParameters() or {}).get("path", ", ".join(uris))
        raise OrchardError(
            f"no Parquet at {missing} ({error.getCondition()})",
            rule="it is what an earlier job, or the listing, wrote",
            remedy="check the URI, and that the job before succeeded",
        ) from error
