"""Keep a lake small: remove state that newer published runs have superseded; keep results and features."""

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.run_index import RunIndex

KEPT = 8
"""Runs of the same images and spec that keep their state: the newest, the previous one (for readers that have
just read latest.json), and enough to go back a week."""


def compact(storage: Storage, lake: Lake) -> list[str]:
    """Delete the ledger entries, statistics and lists of earlier rows that no later run can need.

    Each run's state is self-contained, so readers always find the newest run's. A run's ledger entry is
    deleted last: an interrupted compaction finds the run again by it.

    Returns:
        The runs compacted by this call, oldest first.
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
