"""Glue tables, as dicts of its API, and the calls that create and update them.

Each table has one partition per published run; ``…_latest`` contains the newest run only.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from orchard.settings.settings import is_inside
from orchard_jobs.contract import COMPONENT_COLUMNS, FEATURE_COLUMNS, REJECT_COLUMNS
from orchard_jobs.errors import OrchardError

log = logging.getLogger(__name__)

Item = TypeVar("Item")

TYPES = {
    "path": "string",
    "label": "string",
    "etag": "string",
    "width": "int",
    "height": "int",
    "status": "string",
    "error": "string",
    "features": "array<float>",
    "thumbnail": "binary",
    "components": "array<double>",
    "basis_id": "string",
}
"""Hive's types of the contract's columns."""

TABLES = {"features": FEATURE_COLUMNS, "components": COMPONENT_COLUMNS, "rejects": REJECT_COLUMNS}
"""Each is a folder of Parquet files in a run's folder."""

LATEST = ("components", "rejects")
"""Tables whose current rows are all in the newest run. Its features are spread over many runs."""

KEYS = ("run", "published_at")
"""Partition keys, both strings. ``published_at`` is ISO 8601 in UTC: run names do not sort by time."""

assert {column for columns in TABLES.values() for column in columns} == set(TYPES)  # noqa: S101 - the contract

MOST_CREATED, MOST_DELETED = 100, 25
"""Maximum partitions in one Glue request."""


def storage_descriptor(table: str, location: str) -> dict[str, Any]:
    """Return the StorageDescriptor for Parquet files with a table's columns."""
    formats = "org.apache.hadoop.hive.ql.io.parquet"
    return {
        "Columns": [{"Name": column, "Type": TYPES[column]} for column in TABLES[table]],
        "Location": f"{location}/",
        "InputFormat": f"{formats}.MapredParquetInputFormat",
        "OutputFormat": f"{formats}.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
    }


def all_runs_table(table: str, runs: str) -> dict[str, Any]:
    """Return the table of all runs, whose folders are in the folder ``runs``."""
    return _external(table, storage_descriptor(table, runs), KEYS, "All published runs")


def latest_run_table(table: str, run: str) -> dict[str, Any]:
    """Return the table of the newest run, whose folder is ``run``."""
    return _external(
        f"{table}_latest", storage_descriptor(table, f"{run}/{table}"), (), "The newest published run"
    )


def build_partition(table: str, run: str, values: Iterable[str]) -> dict[str, Any]:
    """Return the partition of a run, whose folder is ``run``."""
    return {"Values": list(values), "StorageDescriptor": storage_descriptor(table, f"{run}/{table}")}


def _external(name: str, storage: dict[str, Any], keys: Iterable[str], description: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Description": description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in keys],
        "StorageDescriptor": storage,
    }


@dataclass(frozen=True)
class Catalog:
    """One Glue database. ``client`` is boto3's."""

    client: Any
    database: str

    def put(self, table: Mapping[str, Any], lake: str) -> None:
        """Create or update a table.

        Raises:
            OrchardError: if the table exists with data outside this lake, or the database does not exist.
        """
        try:
            found = self.client.get_table(DatabaseName=self.database, Name=table["Name"])["Table"]
        except self.client.exceptions.EntityNotFoundException:
            self._create(table)
            return
        location = found["StorageDescriptor"]["Location"]
        if not is_inside(location.rstrip("/"), lake):
            raise OrchardError(
                f"the table {table['Name']} of the Glue database {self.database} is at {location}",
                rule=f"it must be in {lake}: each lake needs its own database",
                remedy="set ORCHARD_GLUE_DATABASE to another database, or drop that table",
            )
        if not _has(found, table):
            # Table versions are limited to 100,000.
            self.client.update_table(DatabaseName=self.database, TableInput=table, SkipArchive=True)

    def partitions(self, table: str) -> list[tuple[str, ...]]:
        """Return the values of all partitions of a table."""
        pages = self.client.get_paginator("get_partitions").paginate(
            DatabaseName=self.database, TableName=table, ExcludeColumnSchema=True
        )
        return [tuple(found["Values"]) for page in pages for found in page["Partitions"]]

    def add(self, table: str, partitions: Sequence[Mapping[str, Any]]) -> None:
        """Add partitions; existing ones stay unchanged."""
        for some in _in_batches(partitions, MOST_CREATED):
            answer = self.client.batch_create_partition(
                DatabaseName=self.database, TableName=table, PartitionInputList=list(some)
            )
            _raise_for_errors(table, answer, "AlreadyExistsException")

    def drop(self, table: str, values: Sequence[tuple[str, ...]]) -> None:
        """Drop partitions, but not their data; missing ones are not an error."""
        for some in _in_batches(values, MOST_DELETED):
            answer = self.client.batch_delete_partition(
                DatabaseName=self.database,
                TableName=table,
                PartitionsToDelete=[{"Values": list(one)} for one in some],
            )
            _raise_for_errors(table, answer, "EntityNotFoundException")

    def _create(self, table: Mapping[str, Any]) -> None:
        try:
            self.client.create_table(DatabaseName=self.database, TableInput=table)
        except self.client.exceptions.EntityNotFoundException:
            raise OrchardError(
                f"no Glue database {self.database}",
                rule="ORCHARD_GLUE_DATABASE must exist",
                remedy="create it, with GlueDatabase=yes in infra/, or correct the name",
            ) from None
        log.info("Created the table %s of the Glue database %s", table["Name"], self.database)


def _in_batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _has(found: Any, wanted: Any) -> bool:
    """Whether ``found`` contains everything in ``wanted``; Glue adds its own defaults."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_has(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_has, found, wanted))
    return bool(found == wanted)


def _raise_for_errors(table: str, answer: Mapping[str, Any], harmless: str) -> None:
    errors = [one["ErrorDetail"] for one in answer.get("Errors", ())]
    errors = [one for one in errors if one["ErrorCode"] != harmless]
    if errors:
        raise RuntimeError(f"Glue rejected {len(errors)} partitions of {table}; the first error: {errors[0]}")
