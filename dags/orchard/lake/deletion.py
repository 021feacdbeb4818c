"""Delete published runs: first from latest.json, so that readers no longer find them, then their files."""

import json
from collections.abc import Collection

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage, to_json
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder


def take_out(storage: Storage, lake: Lake, slugs: Collection[str]) -> None:
    """Remove runs from latest.json, in one conditional write; their files stay.

    Raises:
        OrchardError: if one is the newest run, or if another run is published meanwhile.
    """
    found = storage.read(lake.latest)
    latest = json.loads(found.data)
    if latest["run"] in slugs:
        raise OrchardError(
            f"{latest['run']} is the newest run",
            rule="readers use the newest run, so it stays",
            remedy="publish another run first",
        )
    latest["runs"] = [run for run in latest["runs"] if run["run"] not in slugs]
    try:
        storage.replace(lake.latest, to_json(latest), found.version)
    except OrchardError:
        raise OrchardError(
            f"{lake.latest} has changed since it was read",
            rule="runs cannot be removed while another one is being published",
            remedy="try again: nothing has been deleted",
        ) from None


def delete_run(storage: Storage, lake: Lake, slug: str) -> None:
    """Delete everything that a run has written, except its basis, which other runs may share.

    The evidence of publication goes first, so that an interrupted deletion leaves an unfinished run.
    """
    storage.delete(lake.ledger_entry(slug))
    storage.delete(lake.run(slug).run_json)
    storage.delete(lake.report_digest(slug))
    storage.delete_folder(lake.run(slug).uri)


def delete_results(storage: Storage, lake: Lake, slug: str) -> None:
    """Delete all but a run's features, which later runs read, and run.json, which describes them."""
    folder = lake.run(slug)
    storage.delete(lake.ledger_entry(slug))
    storage.delete(lake.report_digest(slug))
    for name in storage.folders(folder.uri):
        if not _is(folder, name, folder.features):
            storage.delete_folder(f"{folder.uri}/{name}")
    for name in storage.names(folder.uri):
        if not _is(folder, name, folder.run_json):
            storage.delete(f"{folder.uri}/{name}")


def _is(folder: RunFolder, name: str, uri: str) -> bool:
    return f"{folder.uri}/{name}" == uri
