"""The ledger: each known image's ETag, its status, and the run that has its features.

Every published run has its own complete entry, so the newest one alone is enough.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.parquet import from_parquet
from orchard_jobs.contract import EARLIER_COLUMNS, OUTCOME_COLUMNS, Status
from orchard_jobs.errors import OrchardError

OUTCOME_SCHEMA = pa.schema([(name, pa.string()) for name in OUTCOME_COLUMNS])

LEDGER_SCHEMA = OUTCOME_SCHEMA.append(pa.field("run", pa.string()))

EARLIER_SCHEMA = LEDGER_SCHEMA.append(pa.field("stays", pa.bool_()))
assert tuple(EARLIER_SCHEMA.names) == EARLIER_COLUMNS  # noqa: S101 - the contract, checked where it is used

Needs = dict[str, dict[str, int]]
"""Run whose features are needed → run that needs them → number of rows."""


def read_ledger(storage: Storage, lake: Lake, slug: str | None) -> pa.Table:
    """Return LEDGER_SCHEMA as the run ``slug`` left it; no rows if ``slug`` is None.

    Raises:
        OrchardError: if the run's entry is missing.
    """
    if slug is None:
        return LEDGER_SCHEMA.empty_table()
    uri = lake.ledger_entry(slug)
    try:
        return from_parquet(storage.read(uri).data, LEDGER_SCHEMA)
    except FileNotFoundError:
        raise OrchardError(
            f"no ledger entry {uri}",
            rule=f"every run in {lake.latest} has one",
            remedy=f"restore it, or remove all runs of these images and this model from {lake.latest}: "
            "then all images are computed again",
        ) from None


def next_ledger(earlier: pa.Table, outcomes: pa.Table, slug: str) -> pa.Table:
    """Return the ledger after the run ``slug``: the earlier rows that stay, and this run's outcomes."""
    computed = outcomes.append_column("run", pa.array([slug] * outcomes.num_rows, pa.string()))
    staying = earlier.filter(pc.field("stays"))
    parts = [part.select(LEDGER_SCHEMA.names).cast(LEDGER_SCHEMA) for part in (staying, computed)]
    return pa.concat_tables(parts).sort_by("path")


def find_needs(storage: Storage, lake: Lake, slugs: Iterable[str], newest: Collection[str] = ()) -> Needs:
    """Return which features of other runs the published runs ``slugs`` need: a refit reads them, however old.

    Compacted runs need none.

    Raises:
        OrchardError: if one of ``newest``, which are never compacted, has no ledger entry.
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
    """Return the number of ledger rows with features, by the run that computed them."""
    return dict(Counter(ledger.filter(pc.field("status") == Status.OK.value)["run"].to_pylist()))


def paths_with_features(ledger: pa.Table, run: str) -> list[str]:
    """Return the paths in a ledger whose features ``run`` has computed."""
    has_features = (pc.field("status") == Status.OK.value) & (pc.field("run") == run)
    paths: list[str] = ledger.filter(has_features)["path"].to_pylist()
    return paths
