"""The folder of Spark's event logs: it must be there before Spark starts."""

from urllib.parse import unquote

from pyspark import SparkConf, SparkContext

from orchard_jobs.storage import refusing, write_bytes

MARKER = ".keep"
"""In S3 a folder is there once something is in it. History servers do not read hidden files."""


def prepare_event_log() -> None:
    """Make the folder that ``spark.eventLog.dir`` names, where event logs are kept in the lake.

    Raises:
        OrchardError: where it cannot be written. Spark would not start, and say so in a page of Java.
    """
    SparkContext._ensure_initialized()  # there is no other way to what spark-submit was given
    conf = SparkConf()
    folder = unquote(conf.get("spark.eventLog.dir", "") or "")
    is_kept = conf.get("spark.eventLog.enabled", "false") == "true"
    if not is_kept or not folder.startswith(("file://", "s3://")):
        return  # hdfs:// is the cluster's own business
    with refusing(
        folder,
        rule="Spark's event logs go there, and Spark does not start without",
        remedy="allow writing there, or name another place with ORCHARD_LOGS",
    ):
        write_bytes(f"{folder}/{MARKER}", b"")
