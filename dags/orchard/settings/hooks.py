"""Airflow's hooks, imported lazily: the import takes seconds, and local files need no hook."""

from typing import TYPE_CHECKING

from orchard.settings.aws import Access

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.glue_catalog import GlueCatalogHook
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook


def s3_hook(access: Access) -> "S3Hook":
    """Return an S3 hook with the connection and region from the settings."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415

    return S3Hook(**access.hook)


def glue_hook(access: Access) -> "GlueCatalogHook":
    """Return a Glue catalog hook with the connection and region from the settings."""
    from airflow.providers.amazon.aws.hooks.glue_catalog import GlueCatalogHook  # noqa: PLC0415

    return GlueCatalogHook(**access.hook)
