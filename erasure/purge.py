"""From what is asked for to what would be done."""

from erasure.holdings import Holdings, holdings_of
from erasure.image import plan_image
from erasure.lake import plan_lake
from erasure.plan import Plan
from erasure.request import Request
from erasure.run import plan_run
from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.storage import storage_for


def plan_purge(request: Request) -> Plan:
    """Return what would be done, of what the places of the request hold.

    Raises:
        OrchardError: if it must not be.
    """
    lake, images, access = request.places.lake, request.places.images, request.access
    return build_plan(
        request, storage_for(lake, access), holdings_of(lake, access), holdings_of(images, access)
    )


def build_plan(request: Request, storage: Storage, holdings: Holdings, images: Holdings) -> Plan:
    """Return what would be done.

    Args:
        storage: Of the lake, as ``holdings``.
        images: Of the folder of the images.

    Raises:
        OrchardError: if it must not be.
    """
    places = request.places
    if request.run is not None:
        return plan_run(request.run, Lake(places.lake), places.logs, storage, holdings)
    if request.image is not None:
        return plan_image(request.image, places, storage, holdings, images)
    return plan_lake(places, storage, holdings)
