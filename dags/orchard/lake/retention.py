"""How long a lake keeps results: what ORCHARD_RETENTION_DAYS ago was superseded goes, if no run needs it.

The newest run of each folder of images stays whole, however old: readers read it, and the next run
continues it. Features stay as long as a run that stays needs them.

When a run was published, and its basis, is what latest.json says, which nodes cannot write. Runs that an
earlier version of Orchard published have neither there, so they stay until they are purged by hand.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from orchard.lake.deletion import delete_results, delete_run, take_out
from orchard.lake.layout import Lake, is_slug
from orchard.lake.ledger import find_needs
from orchard.lake.objects import Storage
from orchard.lake.run_index import RunIndex

log = logging.getLogger(__name__)

MAY_WORK = timedelta(days=2)
"""A run that has not been published and has written something in this time may still be at work. A job
rewrites its report every two seconds, and nothing that a run waits for takes as long, so there is no need
to ask Airflow, which knows runs by other names."""


def retain(storage: Storage, lake: Lake, days: int, now: datetime | None = None) -> list[str]:
    """Delete what was superseded ``days`` ago; return the runs that it was of.

    What is interrupted goes the next time, but for a run that has just lost its name in latest.json and has
    its run.json yet: that is for ``make purge``.

    Raises:
        OrchardError: where latest.json changes meanwhile; or a ledger entry does, which is needed to know
            what to keep.
    """
    index, now = RunIndex.load(storage, lake), now or datetime.now(UTC)
    if index.latest is None:
        return []  # latest.json may have been lost: then no run is known for what it is
    cutoff = now - timedelta(days=days)
    published_at = {
        run.run: datetime.fromisoformat(run.published_at) for run in index.runs if run.published_at
    }
    expired = expired_runs(index, published_at, cutoff)
    staying = [run.run for run in index.runs if run.run not in expired]
    needed = find_needs(storage, lake, staying, index.newest())
    whole = [slug for slug in expired if slug not in needed]
    if whole:
        take_out(storage, lake, whole)
    for slug in whole:
        delete_run(storage, lake, slug)
    stripped = [slug for slug in expired if slug in needed and _has_results(storage, lake, slug)]
    for slug in stripped:
        delete_results(storage, lake, slug)
    idle = min(cutoff, now - MAY_WORK)
    unfinished = _delete_unfinished(storage, lake, {run.run for run in index.runs}, idle)
    _delete_bases(storage, lake, {run.basis_id for run in index.runs if run.run in staying}, idle)
    log.info("older than %d days: %s gone, results of %s, unfinished %s", days, whole, stripped, unfinished)
    return [*whole, *stripped, *unfinished]


def expired_runs(index: RunIndex, published_at: Mapping[str, datetime], cutoff: datetime) -> list[str]:
    """Return the runs, oldest first, that another on the same images has superseded before ``cutoff``. Pure.

    Not those that are older: what readers had until last night is there to go back to, however old it is. A
    run stays of which nobody knows when it, or the next one, was published.
    """
    superseded_at: dict[str, datetime | None] = {}
    later: dict[str, str] = {}
    for run in reversed(index.runs):
        superseded_at[run.run] = published_at.get(later.get(run.images, ""))
        later[run.images] = run.run
    return [
        run.run
        for run in index.runs
        if run.run in published_at and (at := superseded_at[run.run]) and at < cutoff
    ]


def is_idle(storage: Storage, folder: str, since: datetime) -> bool:
    """Whether there is something in a folder, and nothing newer than ``since``."""
    written = max((found.modified for found in storage.objects(folder)), default=None)
    return written is not None and written <= since


def _has_results(storage: Storage, lake: Lake, slug: str) -> bool:
    folder = lake.run(slug)
    inside = {*storage.folders(folder.uri), *storage.names(folder.uri)}
    return bool(inside - {uri.rpartition("/")[2] for uri in (folder.features, folder.run_json)})


def _delete_unfinished(storage: Storage, lake: Lake, published: set[str], since: datetime) -> list[str]:
    """Delete the runs that were not published and have written nothing ``since``.

    Those with a run.json stay: they have been published, as far as anybody knows who has lost latest.json.
    """
    names = [name for name in storage.folders(lake.runs) if name not in published and is_slug(name)]
    names = [slug for slug in names if "run.json" not in storage.names(lake.run(slug).uri)]
    old = [slug for slug in names if is_idle(storage, lake.run(slug).uri, since)]
    for slug in old:
        delete_run(storage, lake, slug)
    return old


def _delete_bases(storage: Storage, lake: Lake, used: set[str | None], since: datetime) -> None:
    """Delete the bases of no run that stays; a run that is being published has just written its own.

    None goes as long as a run stays of which nobody knows its basis.
    """
    if None in used:
        return
    for basis_id in storage.folders(lake.bases):
        if basis_id not in used and is_idle(storage, lake.basis(basis_id), since):
            storage.delete_folder(lake.basis(basis_id))
