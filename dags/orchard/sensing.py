"""Look for new images, and prepare a run for them."""

import json
import logging
from typing import Any, TypedDict

from orchard.choices import Choices
from orchard.images import difference, read_ledger, write_manifest
from orchard.lake import Lake
from orchard.listing import list_images
from orchard.settings import Settings
from orchard.storage import Storage, storage_for
from orchard_jobs.errors import OrchardError

log = logging.getLogger(__name__)


class Sensed(TypedDict):
    """What the later tasks of a run need to know: the value of the task ``sense``."""

    listed: int
    known: int
    new: int
    earlier: list[str]
    """The published runs that this one builds on, oldest first."""


def sense(slug: str, choices: Choices, settings: Settings) -> Sensed:
    """List the images, compare them with the ledger, write the new ones to the run's manifest.

    The run's own ledger entry does not count, so that clearing a published run does it again.

    Raises:
        OrchardError: if the images cannot be listed, or there never were any.
    """
    lake = Lake(settings.places.lake)
    storage = storage_for(lake.uri, settings.nightly.aws_conn_id)
    earlier = [run for run in published_runs(storage, lake) if run != slug]
    listing = list_images(choices.images, settings.nightly.aws_conn_id)
    if not earlier and listing.num_rows == 0:
        raise OrchardError(
            f"no images in {choices.images}",
            rule="it holds <label>/<image>",
            remedy="correct the images URI, or put the first images there",
        )
    found = difference(listing, read_ledger(storage, lake, earlier))
    log.info("%d images listed, %d known, %d new", found.listed, found.known, found.new.num_rows)
    if found.new.num_rows:
        write_manifest(storage, lake.run(slug).manifest, found.new)
    return Sensed(listed=found.listed, known=found.known, new=found.new.num_rows, earlier=earlier)


def published_runs(storage: Storage, lake: Lake) -> list[str]:
    """Return the slugs of the published runs, oldest first.

    The ledger says which they are, ``latest.json`` in which order; a run whose publication stopped
    between the two comes last.
    """
    published = [name.removesuffix(".parquet") for name in storage.names(lake.ledger)]
    try:
        latest: dict[str, Any] = json.loads(storage.read(lake.latest).data)
    except FileNotFoundError:
        latest = {"runs": []}
    ordered = [run for run in latest["runs"] if run in published]
    return ordered + sorted(set(published) - set(ordered))
