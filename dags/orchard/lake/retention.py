"""Retention: delete results that were superseded ORCHARD_RETENTION_DAYS ago, unless another run needs them.

The newest run of each image folder is kept completely, however old: readers use it, and the next run builds
on it. Features are kept as long as a remaining run needs them.

Publication times and bases come from latest.json, which nodes cannot write. Runs published by earlier
versions of Orchard have neither there, so they stay until somebody purges them.
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
"""An unpublished run that has written something this recently may still be working. A job rewrites its
metrics every two seconds, and a run never waits this long for anything else, so Airflow need not be asked."""


def retain(storage: Storage, lake: Lake, days: int, now: datetime | None = None) -> list[str]:
    """Delete what was superseded ``days`` ago; return the affected runs.

    The next call completes an interrupted one, except for a run that is already out of latest.json but still
    has its run.json: that needs ``make purge``.

    Raises:
        OrchardError: if latest.json changes meanwhile, or a ledger entry that says what to keep is missing.
    """
    index, now = RunIndex.load(storage, lake), now or datetime.now(UTC)
    if index.latest is None:
        return []  # latest.json may be lost: then nobody knows which runs are published
    cutoff = now - timedelta(days=days)
    published_at = {
        run.run: datetime.fromisoformat(run.published_at) for run in index.runs if run.published_at
    }
    expired = expired_runs(index, published_at, cutoff)
    staying = [run.run for run in index.runs if run.run not in expired]
    referenced = find_needs(storage, lake, staying, index.newest())
    deleted = [slug for slug in expired if slug not in referenced]
    if deleted:
        take_out(storage, lake, deleted)
    for slug in deleted:
        delete_run(storage, lake, slug)
    stripped = [slug for slug in expired if slug in referenced and _has_results(storage, lake, slug)]
    for slug in stripped:
        delete_results(storage, lake, slug)
    idle = min(cutoff, now - MAY_WORK)
    unfinished = _delete_unfinished(storage, lake, {run.run for run in index.runs}, idle)
    _delete_bases(storage, lake, {run.basis_id for run in index.runs if run.run in staying}, idle)
    log.info(
        "Deleted after %d days: runs %s, the results of %s, unfinished runs %s",
        *(days, deleted, stripped, unfinished),
    )
    return [*deleted, *stripped, *unfinished]


def expired_runs(index: RunIndex, published_at: Mapping[str, datetime], cutoff: datetime) -> list[str]:
    """Return the runs, oldest first, that another run on the same images superseded before ``cutoff``. Pure.

    The age of the run itself does not count: readers can go back to last night's result, however old it is. A
    run stays if its own publication time, or that of the next run, is unknown.
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
    """Whether a folder is not empty, and nothing in it is newer than ``since``."""
    written = max((found.modified for found in storage.objects(folder)), default=None)
    return written is not None and written <= since


def _has_results(storage: Storage, lake: Lake, slug: str) -> bool:
    folder = lake.run(slug)
    inside = {*storage.folders(folder.uri), *storage.names(folder.uri)}
    return bool(inside - {uri.rpartition("/")[2] for uri in (folder.features, folder.run_json)})


def _delete_unfinished(storage: Storage, lake: Lake, published: set[str], since: datetime) -> list[str]:
    """Delete unpublished runs that have written nothing since ``since``.

    Runs with a run.json stay: they may have been published before latest.json was lost.
    """
    names = [name for name in storage.folders(lake.runs) if name not in published and is_slug(name)]
    names = [slug for slug in names if "run.json" not in storage.names(lake.run(slug).uri)]
    old = [slug for slug in names if is_idle(storage, lake.run(slug).uri, since)]
    for slug in old:
        delete_run(storage, lake, slug)
    return old


def _delete_bases(storage: Storage, lake: Lake, used: set[str | None], since: datetime) -> None:
    """Delete the bases that no remaining run uses, except recent ones: a run may be publishing its basis now.

    Nothing is deleted while the basis of a remaining run is unknown.
    """
    if None in used:
        return
    for basis_id in storage.folders(lake.bases):
        if basis_id not in used and is_idle(storage, lake.basis(basis_id), since):
            storage.delete_folder(lake.basis(basis_id))
