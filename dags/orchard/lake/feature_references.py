"""Which runs' features the ledgers of other runs name: a refit reads them, however old they are."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from orchard.lake.layout import Lake
from orchard.lake.ledger import read_ledger
from orchard.lake.objects import Storage
from orchard_jobs.contract import Status

Needs = dict[str, dict[str, int]]
"""By the run whose features are needed: the runs that need them, and how many rows each."""


def find_needs(storage: Storage, lake: Lake, slugs: Iterable[str], newest: Collection[str] = ()) -> Needs:
    """Return what the published runs ``slugs`` need of others. Those that were compacted need nothing.

    Raises:
        OrchardError: if one of ``newest``, which never are, has no ledger entry: then nobody knows its needs.
    """
    entries = set(storage.names(lake.ledger))
    needs: Needs = defaultdict(dict)
    for slug in slugs:
        if slug in newest or lake.ledger_entry(slug).rpartition("/")[2] in entries:
            for run, rows in count_features(read_ledger(storage, lake, slug)).items():
                if run != slug:
                    needs[run][slug] = rows
    return dict(needs)


def count_features(ledger: pa.Table) -> dict[str, int]:
    """Return how many rows with features a ledger has, by the run that made them."""
    return dict(Counter(ledger.filter(pc.field("status") == Status.OK.value)["run"].to_pylist()))


def paths_with_features(ledger: pa.Table, run: str) -> list[str]:
    """Return the paths in a ledger whose features ``run`` has made."""
    is_of = (pc.field("status") == Status.OK.value) & (pc.field("run") == run)
    paths: list[str] = ledger.filter(is_of)["path"].to_pylist()
    return paths
