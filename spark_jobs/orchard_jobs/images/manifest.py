"""The rows that featurize works on: the manifest that Airflow wrote, or a listing of the folder."""

import os
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from orchard_jobs.contract import FeaturizeJob, is_hidden, label_of
from orchard_jobs.errors import OrchardError
from orchard_jobs.parquet import read_parquet
from orchard_jobs.storage import list_folder

SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "label": pa.string(),
        "etag": pa.string(),
        "size": pa.int64(),
        "modified": pa.timestamp("us", "UTC"),
    }
)


def read_manifest(spark: SparkSession, job: FeaturizeJob) -> tuple[DataFrame, int]:
    """Return one row per image, and their number; without a manifest, of every image below ``job.images``.

    Raises:
        OrchardError: when there is not one row.
    """
    rows = read_parquet(spark, job.manifest) if job.manifest else list_images(spark, job.images)
    count = rows.count()
    if not count:
        raise OrchardError(
            f"no images in {job.manifest or job.images}",
            rule="there must be one at least",
            remedy="check the URI: it names the folder that holds the <label>/<image> folders",
        )
    return rows, count


def list_images(spark: SparkSession, images: str) -> DataFrame:
    """List a folder on the driver. For runs by hand: the nightly run lists before there is a cluster.

    As Arrow: from rows of Python, Spark would make its own in Python workers, which take seconds to start.
    """
    return spark.createDataFrame(pa.Table.from_pylist(list(_listing_rows(images)), SCHEMA))


def _listing_rows(images: str) -> Iterator[dict[str, object]]:
    for item in list_folder(images):
        if not is_hidden(item.path):
            yield {
                "path": os.fsencode(item.path).decode(errors="backslashreplace"),
                "label": label_of(item.path),
                "etag": item.etag,
                "size": item.size,
                "modified": item.modified,
            }
