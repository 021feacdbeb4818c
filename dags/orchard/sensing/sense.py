"""Find new images, and prepare a run for them."""

import hashlib
import json
import logging
from typing import Any

from orchard.lake.layout import Lake
from orchard.lake.ledger import read_ledger
from orchard.lake.objects import Storage, to_json
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import RunIndex
from orchard.lake.sensed import Sensed, digest_rows
from orchard.lake.storage import storage_for
from orchard.sensing.diff import Difference, difference
from orchard.sensing.feature_change import describe_change
from orchard.sensing.listing import list_images
from orchard.sensing.refit import describe_refit
from orchard.sensing.regions import check_regions
from orchard.settings.aws import Access
from orchard.settings.feature_spec import FeatureSpec
from orchard.settings.run_params import RunParams
from orchard.settings.settings import DeletedImages, Settings
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

log = logging.getLogger(__name__)

ROW_GROUP = 10_000
"""Rows per Parquet row group: each Spark task reads only its own."""


def sense(slug: str, params: RunParams, settings: Settings, *, by_hand: bool) -> Sensed:
    """List the images, compare them with the ledger, and write the input of the run's jobs.

    Args:
        by_hand: Whether this is a manual run, which refits components that differ from the newest result even
            without new images. Scheduled runs without new images do nothing.

    Raises:
        OrchardError: if a bucket is in another region, the images cannot be listed, or there never were any.
    """
    check_regions(settings.access, settings.places.lake, params.images)
    lake = Lake(settings.places.lake)
    storage = storage_for(lake.uri, settings.access)
    card = read_model_card(settings.places.model, settings.access)
    validate_component_count(params.components, card.get("features"))
    spec = FeatureSpec.of_run(card["id"], params, settings)
    index = RunIndex.load(storage, lake)
    if change := describe_change(index, params.images, spec):
        if by_hand and not params.recompute:
            raise OrchardError(
                change,
                rule="a manual run replaces them only if 'Compute images again' (recompute) is set",
                remedy="trigger it again with that set, or with the earlier values",
            )
        log.warning("%s", change)
    builds_on = index.builds_on(params.images, spec)
    listing = list_images(params.images, settings.access)
    if builds_on is None and listing.num_rows == 0:
        raise OrchardError(
            f"no images in {params.images}",
            rule="the first run requires images at <label>/<image>",
            remedy="correct the images URI, or add images there",
        )
    keep_deleted = settings.nightly.deleted_images is DeletedImages.KEEP
    ledger = read_ledger(storage, lake, builds_on)
    found = difference(listing, ledger, keep_deleted=keep_deleted)
    counts = (found.listed, found.known, found.new.num_rows, found.retried, found.deleted)
    log.info("%d images listed: %d known, %d to compute (%d of them again); %d deleted", *counts)
    goes_on = found.new.num_rows > 0
    if builds_on and not goes_on and (refit := describe_refit(index, builds_on, params)):
        goes_on = by_hand and found.kept > 0
        if goes_on:
            log.info("No new images: refitting the components on the stored statistics for %s", refit)
        else:
            why = (
                "No images are left" if by_hand else "There are no new images; trigger a manual run to refit"
            )
            log.warning("Not applied: %s. %s", refit, why)
    listing, digest = prepare(storage, lake.run(slug), found, spec) if goes_on else (None, None)
    return Sensed(
        listing=listing,
        digest=digest,
        images=params.images,
        model=settings.places.model,
        feature_spec=spec.to_json(),
        code=settings.places.code,
        listed=found.listed,
        known=found.known,
        new=found.new.num_rows,
        retried=found.retried,
        deleted=found.deleted,
        kept=found.kept,
        builds_on=builds_on,
        predecessor=index.latest,
    )


def prepare(storage: Storage, folder: RunFolder, found: Difference, spec: FeatureSpec) -> tuple[str, str]:
    """Write the manifest and the earlier rows.

    Returns:
        An id derived from them and the spec, and their digest.
    """
    manifest, earlier = to_parquet(found.new, ROW_GROUP), to_parquet(found.earlier, ROW_GROUP)
    storage.write(folder.manifest, manifest)
    storage.write(folder.earlier, earlier)
    listing = hashlib.sha256(manifest + earlier + to_json(spec.to_json())).hexdigest()[:12]
    return listing, digest_rows(manifest, earlier)


def validate_component_count(components: int | None, features: int | None) -> None:
    """Raise OrchardError, before creating a cluster, for more components than the model has features."""
    if components is not None and features is not None and components > features:
        raise OrchardError(
            f"components={components}",
            rule=f"the model has {features} features, which is the maximum number of components",
            remedy="trigger the run again with fewer",
        )


def read_model_card(uri: str, access: Access) -> dict[str, Any]:
    """Return the card of the model artefact at ``uri``.

    Raises:
        OrchardError: if there is no artefact.
    """
    try:
        card: dict[str, Any] = json.loads(storage_for(uri, access).read(f"{uri}/card.json").data)
        return {**card, "id": str(card["id"])}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        raise OrchardError(
            f"no model artefact at {uri}",
            rule="ORCHARD_MODEL must be a folder with a card.json",
            remedy="export one with `orchard model --weights FILE --models URI`",
        ) from None
