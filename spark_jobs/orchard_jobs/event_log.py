"""The folder of Spark's event logs, which must exist before Spark starts."""

from urllib.parse import unquote

from pyspark import SparkConf, SparkContext

from orchard_jobs.storage import refusing, write_bytes

MARKER = ".keep"
"""A folder in S3 exists once it contains an object. History servers ignore hidden files."""


def prepare_event_log() -> None:
    """Create the folder ``spark.eventLog.dir``, if event logs are written to the lake.

    Raises:
        OrchardError: if it cannot be written. Spark itself would fail with a long Java stack trace.
    """
    SparkContext._ensure_initialized()  # the only way to read the options of spark-submit
    conf = SparkConf()
    folder = unquote(conf.get("spark.eventLog.dir", "") or "")
    is_kept = conf.get("spark.eventLog.enabled", "false") == "true"
    if not is_kept or not folder.startswith(("file://", "s3://")):
        return  # hdfs:// folders are managed by the cluster
    with refusing(
        folder,
        rule="Spark writes its event logs there, and cannot start otherwise",
        remedy="allow writing there, or choose another folder with ORCHARD_LOGS",
    ):
        write_bytes(f"{folder}/{MARKER}", b"")
