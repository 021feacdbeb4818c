"""Keep a lake small: what newer published runs have superseded goes, results and features stay."""

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.run_index import RunIndex

KEPT = 8
"""Runs of the same images and model that keep their state: the newest, that before it, for whoever has read
latest.json a moment ago, and so many that one can go a week back."""


def compact(storage: Storage, lake: Lake) -> list[str]:
    """Remove the ledger entries, statistics and lists of earlier rows that no later run can need.

    A run's state is whole in itself, so readers find that of the newest run whenever they look. Of what a
    run has, the ledger entry goes last: what was interrupted is found again by it.

    Returns:
        The runs that were compacted now, oldest first.
    """
    entries = set(storage.names(lake.ledger))
    old = [
        slug
        for slug in RunIndex.load(storage, lake).superseded(KEPT)
        if lake.ledger_entry(slug).rpartition("/")[2] in entries
    ]
    for slug in old:
        folder = lake.run(slug)
        for uri in (folder.statistics, folder.earlier, lake.ledger_entry(slug)):
            storage.delete(uri)
    return old
