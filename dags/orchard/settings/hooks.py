"""Airflow's hooks, loaded when one is needed: that takes seconds, and whoever works on files needs none."""

from typing import TYPE_CHECKING

from orchard.settings.aws import Access

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.glue_catalog import GlueCatalogHook
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook


def s3_hook(access: Access) -> "S3Hook":
    """Return a hook with the connection and the region of the settings."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415

    return S3Hook(**access.hook)


def glue_hook(access: Access) -> "GlueCatalogHook":
    """Likewise, of Glue's catalog."""
    from airflow.providers.amazon.aws.hooks.glue_catalog import GlueCatalogHook  # noqa: PLC0415

    return GlueCatalogHook(**access.hook)
