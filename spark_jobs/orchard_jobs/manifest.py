"""The rows that featurize works on: the manifest that Airflow wrote, or a listing of the folder."""

import os
from collections.abc import Iterator

from pyspark.sql import DataFrame, SparkSession

from orchard_jobs.contract import FeaturizeJob, is_hidden, label_of
from orchard_jobs.errors import OrchardError
from orchard_jobs.parquet import read_parquet
from orchard_jobs.storage import list_folder

SCHEMA = "path string, label string, etag string, size long, modified timestamp"


def read_manifest(spark: SparkSession, job: FeaturizeJob) -> DataFrame:
    """Return one row per image; by hand, without a manifest, of every image below ``job.images``.

    Raises:
        OrchardError: when there is not one row.
    """
    rows = read_parquet(spark, job.manifest) if job.manifest else list_images(spark, job.images)
    if rows.isEmpty():
        raise OrchardError(
            f"no images in {job.manifest or job.images}",
            rule="there must be one at least",
            remedy="check the URI: it names the folder that holds the <label>/<image> folders",
        )
    return rows


def list_images(spark: SparkSession, images: str) -> DataFrame:
    """List a folder on the driver. For runs by hand: the nightly run lists before there is a cluster."""
    return spark.createDataFrame(list(_listing_rows(images)), SCHEMA)


def _listing_rows(images: str) -> Iterator[tuple[object, ...]]:
    for item in list_folder(images):
        if not is_hidden(item.path):
            yield (
                os.fsencode(item.path).decode(errors="backslashreplace"),
                label_of(item.path),
                item.etag,
                item.size,
                item.modified,
            )
