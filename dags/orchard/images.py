"""Which images are new: the listing against the ledger, with Arrow's hash join instead of Python objects."""

import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchard.lake import Lake
from orchard.storage import Storage
from orchard_jobs.contract import Status

KEY = ["path", "etag"]
"""What makes an image: its path, with the ETag that it has there."""

LEDGER_SCHEMA = pa.schema([(name, pa.string()) for name in (*KEY, "status")])

RETRIABLE = pa.array([Status.UNREADABLE.value, Status.MISSING.value])
"""Statuses that say something of the night, not of the image."""


@dataclass(frozen=True)
class Difference:
    """A listing, divided.

    Args:
        new: What is to be computed, sorted by path.
        listed: Number of all images.
        known: Number of those that are not in ``new``.
        retried: Number of those in ``new`` that an earlier run could not read.
    """

    new: pa.Table
    listed: int
    known: int
    retried: int


def difference(listing: pa.Table, ledger: pa.Table) -> Difference:
    """Divide ``listing`` into what is in no row of ``ledger`` and what is known.

    With new images come those that could not be read in an earlier run. Alone they are left as known: one
    image that is unreadable for good must not start a cluster every night.
    """
    unseen = _without(listing, ledger)
    settled = ledger.filter(pc.invert(pc.is_in(ledger["status"], value_set=RETRIABLE)))
    new = _without(listing, settled) if unseen.num_rows else unseen
    listed = listing.num_rows
    return Difference(new.sort_by("path"), listed, listed - new.num_rows, new.num_rows - unseen.num_rows)


def read_ledger(storage: Storage, lake: Lake, slugs: list[str]) -> pa.Table:
    """Return LEDGER_SCHEMA of every image that one of the runs ``slugs`` published."""
    entries = [_read_entry(storage.read(lake.ledger_entry(slug)).data) for slug in slugs]
    return pa.concat_tables([LEDGER_SCHEMA.empty_table(), *entries])


def write_manifest(storage: Storage, uri: str, new: pa.Table) -> None:
    """Write the images of ``new`` to one Parquet file of MANIFEST_COLUMNS."""
    buffer = io.BytesIO()
    # Row groups let Spark read one manifest in several tasks.
    pq.write_table(new, buffer, row_group_size=10_000)
    storage.write(uri, buffer.getvalue())


def _without(listing: pa.Table, ledger: pa.Table) -> pa.Table:
    rest = listing.join(ledger.select(KEY), keys=KEY, join_type="left anti")
    return rest.select(listing.column_names)


def _read_entry(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data), columns=LEDGER_SCHEMA.names).cast(LEDGER_SCHEMA)
