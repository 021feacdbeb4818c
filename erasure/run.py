"""Purges one run: everything that it has written, unless readers or later runs need it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from erasure.holdings import Held, Holdings
from erasure.plan import Plan
from orchard.lake.deletion import take_out
from orchard.lake.event_logs import event_logs_of
from orchard.lake.layout import Lake, is_slug
from orchard.lake.ledger import find_needs, paths_with_features, read_ledger
from orchard.lake.objects import Storage, read_json
from orchard.lake.retention import MAY_WORK, is_idle
from orchard.lake.run_index import RunIndex
from orchard_jobs.errors import OrchardError


def plan_run(slug: str, lake: Lake, logs: str, storage: Storage, holdings: Holdings) -> Plan:
    """Plan the purge of the run ``slug``, published or not.

    Raises:
        OrchardError: if there is no such run, or it is still needed.
    """
    if not is_slug(slug):
        raise _no_run(slug, lake)
    index = RunIndex.load(storage, lake)
    is_published = slug in index
    if is_published:
        _validate_unneeded(slug, lake, storage, index)
    else:
        _validate_idle(slug, lake, storage)
    others = [run.run for run in index.runs if run.run != slug]
    deleted = (
        *holdings.of(lake.ledger_entry(slug)),
        *holdings.of(lake.report_digest(slug)),
        *holdings.below(lake.run(slug).uri),
        *_basis(slug, lake, storage, holdings, others),
        *_logs(slug, lake, logs, storage, holdings),
    )
    if not deleted and not is_published:
        raise _no_run(slug, lake)

    def carry_out() -> None:
        if is_published:
            take_out(storage, lake, [slug])
        holdings.erase(deleted)

    note = "latest.json will no longer name it." if is_published else "It was not published."
    return Plan(f"Run {slug} in {lake.uri}", lake.uri, deleted, carry_out, notes=(note,))


def _validate_unneeded(slug: str, lake: Lake, storage: Storage, index: RunIndex) -> None:
    if slug == index.latest:
        raise OrchardError(
            f"{slug} is the newest run",
            rule="readers use it, and the next run builds on it",
            remedy="purge it once a newer run is published, or purge everything with --all (ALL=1)",
        )
    others = [run.run for run in index.runs if run.run != slug]
    needing = find_needs(storage, lake, others, index.newest() - {slug}).get(slug)
    if needing:
        run, rows = max(needing.items(), key=lambda item: item[1])
        paths = paths_with_features(read_ledger(storage, lake, run), slug)
        raise OrchardError(
            f"{len(needing)} later runs need the features of {slug}: {run} needs {rows} rows, "
            f"{', '.join(paths[:3])}{', …' if len(paths) > 3 else ''}",
            rule="a refit reads the features of all images in the result, whichever run computed them",
            remedy="erase single images with --image=<path> (IMAGE=<path>), or purge the run once these "
            "images have been changed or deleted and newer runs are published",
        )


def _validate_idle(slug: str, lake: Lake, storage: Storage) -> None:
    """Raise OrchardError if the run may still be working. A run with a run.json has finished its jobs."""
    folder, since = lake.run(slug), datetime.now(UTC) - MAY_WORK
    is_over = "run.json" in storage.names(folder.uri)
    if not is_over and storage.objects(folder.uri) and not is_idle(storage, folder.uri, since):
        raise OrchardError(
            f"{slug} is not published, and has written something since {since:%Y-%m-%d %H:%M} UTC",
            rule="a run that may be working must not be purged",
            remedy=f"mark it failed in Airflow, and purge it {MAY_WORK.days} days after its last write",
        )


def _basis(
    slug: str, lake: Lake, storage: Storage, holdings: Holdings, others: Iterable[str]
) -> Iterable[Held]:
    """Return the basis that only this run uses, according to run.json; data from nodes is not trusted."""
    basis_id = str(_read(storage, lake.run(slug).run_json).get("basis_id", ""))
    used = {record["basis_id"] for record in RunIndex.load(storage, lake).records(others).values()}
    return holdings.below(lake.basis(basis_id)) if is_slug(basis_id) and basis_id not in used else ()


def _logs(slug: str, lake: Lake, logs: str, storage: Storage, holdings: Holdings) -> Iterable[Held]:
    """Return the EMR logs of its cluster, if run.json names it, and the Spark event logs of its jobs."""
    cluster = str((_read(storage, lake.run(slug).run_json).get("cluster") or {}).get("id"))
    is_cluster = re.fullmatch(r"j-[A-Z0-9]+", cluster) is not None
    folders = [*([f"{logs}/{cluster}"] if is_cluster else []), *event_logs_of(slug, logs, storage)]
    return [held for folder in folders for held in holdings.below(folder)]


def _read(storage: Storage, uri: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = read_json(storage, uri)
    except (FileNotFoundError, ValueError):
        return {}
    return content


def _no_run(slug: str, lake: Lake) -> OrchardError:
    return OrchardError(
        f"no run {slug!r}",
        rule=f"a run is named by its folder in {lake.runs}",
        remedy=f"list that folder, or read {lake.latest}",
    )
