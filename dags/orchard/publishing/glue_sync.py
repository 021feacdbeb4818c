"""Tell Glue of the published runs, so that Athena can ask for them: the tables say what latest.json says.

It can be repeated, and makes up for what was missed: runs that were published before there was a database,
or while Glue could not be reached, come with the next one; runs that are gone go.
"""

import csv
import io

import pyarrow as pa

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import History, facts_of_runs
from orchard.publishing.csv_cells import text_of
from orchard.publishing.glue import LATEST, REJECT_COLUMNS, TABLES, Catalog, latest_of, partition_of, table_of

REJECTS_SCHEMA = pa.schema([(name, pa.string()) for name in REJECT_COLUMNS])


def register(catalog: Catalog, storage: Storage, lake: Lake) -> list[str]:
    """Bring the tables up to date; return the runs that are new to them, in the order of publication.

    Raises:
        OrchardError: where there is no such database, or its tables are another lake's.
    """
    history = History.of_lake(storage, lake)
    if history.latest is None:
        return []
    for table in TABLES:
        catalog.put(table_of(table, lake.runs), lake.uri)
    there = {table: {values[0]: values for values in catalog.partitions(table)} for table in TABLES}
    slugs = [run.run for run in history.runs]
    missing = [slug for slug in slugs if any(slug not in there[table] for table in TABLES)]
    facts = facts_of_runs(storage, lake, missing)
    for slug in facts:
        write_rejects(storage, lake, slug)
    for table in TABLES:
        values = {
            slug: (slug, fact.published_at.isoformat(timespec="seconds")) for slug, fact in facts.items()
        }
        catalog.add(table, [partition_of(table, lake.run(slug).uri, values[slug]) for slug in facts])
        catalog.drop(table, [found for slug, found in there[table].items() if slug not in slugs])
    for table in LATEST:
        catalog.put(latest_of(table, lake.run(history.latest).uri), lake.uri)
    return list(facts)


def write_rejects(storage: Storage, lake: Lake, slug: str) -> None:
    """Write the rejected images of a run as Parquet, in a folder of their own, which is what a table takes.

    Not the CSV itself: beside it lies the other one, and a path with a line break would be two rows.
    """
    folder = lake.run(slug)
    try:
        text = storage.read(f"{folder.csv}/rejects.csv").data.decode()
    except FileNotFoundError:
        return  # too old: only the features of the run are left
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    content = [{name: text_of(cell) for name, cell in row.items()} for row in rows]
    table = pa.Table.from_pylist(content, REJECTS_SCHEMA)
    storage.write(f"{folder.uri}/rejects/rejects.parquet", to_parquet(table))
