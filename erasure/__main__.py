"""``make purge``: deletes what a lake holds of a run, an image, or everything; at first it only says so."""

import os
import sys

from orchard.lake import Lake
from orchard.storage import Storage, storage_for
from orchard_jobs.errors import OrchardError
from purge.holdings import Holdings, holdings_of
from purge.image import plan_image
from purge.plan import Plan
from purge.request import Request
from purge.run import plan_run
from purge.whole import plan_all


def make_plan(request: Request, storage: Storage, holdings: Holdings, images: Holdings) -> Plan:
    """Return what would be done.

    Args:
        storage: Of the lake, as ``holdings``.
        images: Of the folder of the images.

    Raises:
        OrchardError: if it must not be.
    """
    places = request.places
    if request.what == "RUN":
        return plan_run(request.name, Lake(places.lake), places.logs, storage, holdings)
    if request.what == "IMAGE":
        return plan_image(request.name, places, storage, holdings, images)
    return plan_all(places, storage, holdings)


def main() -> int:
    try:
        request = Request.from_env(os.environ)
        lake, images, access = request.places.lake, request.places.images, request.access
        plan = make_plan(
            request, storage_for(lake, access), holdings_of(lake, access), holdings_of(images, access)
        )
        print(plan.describe())
        if request.confirmation != plan.confirmation:
            print(f"\nNothing has been deleted yet. To do it, add CONFIRM={plan.confirmation}")
            return 2 if request.confirmation else 0
        plan.carry_out()
    except OrchardError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    print("\nDone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
