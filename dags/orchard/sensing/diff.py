"""Which images are new, changed or deleted: join the listing with the ledger, in Arrow. Pure."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from orchard.lake.ledger import EARLIER_SCHEMA
from orchard_jobs.contract import Status

RETRIABLE = pa.array([Status.UNREADABLE.value, Status.MISSING.value])
"""Statuses that are caused by the run, not by the image."""


@dataclass(frozen=True)
class Difference:
    """The difference between a listing and the ledger.

    Args:
        new: Images to compute, sorted by path: new paths, and known ones with another ETag.
        earlier: EARLIER_SCHEMA of all rows of the ledger, sorted by path.
        listed: Number of listed images.
        known: Number of listed images that are not in ``new``.
        retried: Number of images in ``new`` that an earlier run could not read.
        deleted: Number of images with features that are no longer listed.
        kept: Number of earlier rows with features that stay.
    """

    new: pa.Table
    earlier: pa.Table
    listed: int
    known: int
    retried: int
    deleted: int
    kept: int


def difference(listing: pa.Table, ledger: pa.Table, *, keep_deleted: bool = False) -> Difference:
    """Compare ``listing`` with ``ledger``.

    If there are new images, images that an earlier run could not read are retried with them. On their own
    they count as known: one permanently unreadable image must not start a cluster every night.
    """
    known = ledger.select(["path", "etag", "status"]).rename_columns(["path", "known_etag", "status"])
    compared = listing.join(known, "path", join_type="left outer")
    is_new = pc.fill_null(pc.not_equal(compared["etag"], compared["known_etag"]), fill_value=True)
    unseen = compared.filter(is_new)
    if unseen.num_rows:
        is_new = pc.or_(is_new, pc.is_in(compared["status"], value_set=RETRIABLE))
    new = compared.filter(is_new).select(listing.column_names).sort_by("path")

    has_features = pc.equal(ledger["status"], Status.OK.value)
    is_listed = pc.is_in(ledger["path"], value_set=listing["path"])
    is_deleted = pc.and_(has_features, pc.invert(is_listed))
    stays = pc.and_(is_listed, pc.invert(pc.is_in(ledger["path"], value_set=new["path"])))
    if keep_deleted:
        stays = pc.or_(stays, is_deleted)
    return Difference(
        new=new,
        earlier=ledger.append_column("stays", stays).cast(EARLIER_SCHEMA).sort_by("path"),
        listed=listing.num_rows,
        known=listing.num_rows - new.num_rows,
        retried=new.num_rows - unseen.num_rows,
        deleted=_count(is_deleted),
        kept=_count(pc.and_(stays, has_features)),
    )


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)
