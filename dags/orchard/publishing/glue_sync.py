"""Register the published runs in Glue, so that Athena can query them: the tables follow latest.json.

This can be repeated, and catches up: runs that were published before there was a database, or while Glue
could not be reached, are added with the next run, and deleted runs are removed.
"""

import csv
import io
from datetime import datetime

import pyarrow as pa

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import RunIndex
from orchard.lake.run_record import RunRecord
from orchard.publishing.glue import LATEST, TABLES, Catalog, all_runs_table, build_partition, latest_run_table
from orchard_jobs.contract import REJECT_COLUMNS
from orchard_jobs.escaping import unescape_cell

BYTES_PER_ROW = 2**14  # of rejects.csv, at most: a path of 1,024, and messages of 200 characters, all quotes

REJECTS_SCHEMA = pa.schema([(name, pa.string()) for name in REJECT_COLUMNS])


def register(catalog: Catalog, storage: Storage, lake: Lake) -> list[str]:
    """Update the tables; return the runs that were added, in order of publication.

    Raises:
        OrchardError: if the database does not exist, or its tables belong to another lake.
    """
    index = RunIndex.load(storage, lake)
    if index.latest is None:
        return []
    for table in TABLES:
        catalog.put(all_runs_table(table, lake.runs), lake.uri)
    there = {table: {values[0]: values for values in catalog.partitions(table)} for table in TABLES}
    slugs = [run.run for run in index.runs]
    missing = [slug for slug in slugs if any(slug not in there[table] for table in TABLES)]
    records = index.records(missing)
    for slug, record in records.items():
        write_rejects(storage, lake, slug, sum(record["rejected"].values()))
    for table in TABLES:
        values = {slug: (slug, _published_at(record)) for slug, record in records.items()}
        catalog.add(table, [build_partition(table, lake.run(slug).uri, values[slug]) for slug in records])
        catalog.drop(table, [found for slug, found in there[table].items() if slug not in slugs])
    for table in LATEST:
        catalog.put(latest_run_table(table, lake.run(index.latest).uri), lake.uri)
    return list(records)


def _published_at(record: RunRecord) -> str:
    return datetime.fromisoformat(record["published_at"]).isoformat(timespec="seconds")


def write_rejects(storage: Storage, lake: Lake, slug: str, rejected: int) -> None:
    """Write a run's rejected images as Parquet, in their own folder, as a Glue table requires.

    The table cannot use the CSV: its folder contains the features too, and a path with a line break would
    become two rows.
    """
    folder = lake.run(slug)
    try:
        text = storage.read(f"{folder.csv}/rejects.csv", BYTES_PER_ROW * (1 + rejected)).data.decode()
    except FileNotFoundError:
        return  # expired: only the run's features are left
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    content = [{name: unescape_cell(cell) for name, cell in row.items()} for row in rows]
    table = pa.Table.from_pylist(content, REJECTS_SCHEMA)
    storage.write(f"{folder.uri}/rejects/rejects.parquet", to_parquet(table))
