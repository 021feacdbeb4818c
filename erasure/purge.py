"""Turns a purge request into a plan."""

from erasure.holdings import Holdings, open_holdings
from erasure.image import plan_image
from erasure.lake import plan_lake
from erasure.plan import Plan
from erasure.request import Request
from erasure.run import plan_run
from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.storage import storage_for


def plan_purge(request: Request) -> Plan:
    """Plan a purge in the places of the request.

    Raises:
        OrchardError: if the purge is not allowed.
    """
    lake, images, access = request.places.lake, request.places.images, request.access
    return build_plan(
        request, storage_for(lake, access), open_holdings(lake, access), open_holdings(images, access)
    )


def build_plan(request: Request, storage: Storage, holdings: Holdings, images: Holdings) -> Plan:
    """Plan a purge.

    Args:
        storage: Storage of the lake.
        holdings: Holdings of the lake.
        images: Holdings of the images folder.

    Raises:
        OrchardError: if the purge is not allowed.
    """
    places = request.places
    if request.run is not None:
        return plan_run(request.run, Lake(places.lake), places.logs, storage, holdings)
    if request.image is not None:
        return plan_image(request.image, places, storage, holdings, images)
    return plan_lake(places, storage, holdings)
