"""Which images are new: the listing against the ledger, with Arrow's hash join instead of Python objects."""

import io
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchard.lake import Lake
from orchard.storage import Storage

KEY = ["path", "etag"]
"""An image is known if a published run had this path with this ETag."""


@dataclass(frozen=True)
class Difference:
    """A listing, divided. ``new`` is sorted by path."""

    new: pa.Table
    listed: int
    known: int


def difference(listing: pa.Table, ledger: pa.Table) -> Difference:
    """Divide ``listing`` into what is in no row of ``ledger`` and what is known."""
    new = listing.join(ledger.select(KEY), keys=KEY, join_type="left anti").select(listing.column_names)
    return Difference(new.sort_by("path"), listing.num_rows, listing.num_rows - new.num_rows)


def read_ledger(storage: Storage, lake: Lake, slugs: list[str]) -> pa.Table:
    """Return path and ETag of every image that one of the runs ``slugs`` published."""
    empty = pa.schema([(name, pa.string()) for name in KEY]).empty_table()
    entries = [_read_keys(storage.read(lake.ledger_entry(slug)).data) for slug in slugs]
    return pa.concat_tables([empty, *entries])


def write_manifest(storage: Storage, uri: str, new: pa.Table) -> None:
    """Write the images of ``new`` to one Parquet file of MANIFEST_COLUMNS."""
    buffer = io.BytesIO()
    # Row groups let Spark read one manifest in several tasks.
    pq.write_table(new, buffer, row_group_size=10_000)
    storage.write(uri, buffer.getvalue())


def _read_keys(data: bytes) -> Any:
    table = pq.read_table(io.BytesIO(data), columns=KEY)
    return table.cast(pa.schema([(name, pa.string()) for name in KEY]))
