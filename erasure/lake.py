"""Purges a whole lake: all runs and all data about their images. Images, code and models stay."""

from erasure.holdings import Held, Holdings
from erasure.plan import Plan
from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.settings.settings import Places, is_inside
from orchard_jobs.errors import OrchardError


def plan_lake(places: Places, storage: Storage, holdings: Holdings) -> Plan:
    """Plan the purge of the lake.

    Raises:
        OrchardError: if images, code or models are inside a folder to purge.
    """
    lake = Lake(places.lake)
    logs = (
        [places.logs] if is_inside(places.logs, places.lake) else []
    )  # elsewhere, other applications may share them
    folders = [lake.ledger, lake.runs, lake.bases, *logs]
    staying = (places.images, places.code, places.model)
    for uri in staying:
        inside = [folder for folder in folders if is_inside(uri, folder)]
        if inside:
            raise OrchardError(
                f"{uri} is in {inside[0]}",
                rule="images, code and models stay, but that folder would be purged",
                remedy="move them elsewhere, and correct the setting",
            )

    def find() -> tuple[Held, ...]:
        return (
            *holdings.of(lake.latest),
            *(held for folder in folders for held in holdings.below(folder)),
        )

    def carry_out() -> None:
        storage.delete(lake.latest)  # first, so that readers find nothing even after an interruption
        holdings.erase(find())

    return Plan(
        f"All data that Orchard has written to {lake.uri}",
        lake.uri,
        find(),
        carry_out,
        notes=(
            f"What stays: {', '.join(staying)}, and everything in the lake that Orchard has not written.",
        ),
        confirmation=lake.uri,
    )
