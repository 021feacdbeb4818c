"""The estimated cost of a run, before creating its cluster. Pure."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from orchard.emr.prices import AS_OF, hourly_price
from orchard.settings.cluster import Fleet
from orchard.settings.settings import Settings
from orchard.settings.sizing import worker_cores
from orchard_jobs.errors import OrchardError

JOBS_SECONDS = 180
"""Fixed seconds of the three Spark jobs: their start, and the termination of the cluster."""

ROWS_PER_CORE = 1500
"""Rows that a core fits, projects and writes per second. Measured: PCA of 20,622 rows on two shared cores in
7 s."""


@dataclass(frozen=True)
class Work:
    """The size of a run.

    Args:
        images: New images, whose features are computed.
        rows: All rows of the result, including theirs.
    """

    images: int
    rows: int
    core_nodes: int


@dataclass(frozen=True)
class Estimate:
    """The estimate of one run.

    Args:
        images: New images.
        seconds: From the creation of the cluster to its end.
        dollars: Upper bound, by the most expensive type of each fleet; None if a price is unknown.
        per_1000_images: Dollars.
        unknown: Instance types without a price.
    """

    images: int
    core_nodes: int
    task_nodes: int
    cores: int
    seconds: int
    dollars: float | None
    per_1000_images: float | None
    unknown: tuple[str, ...]
    region: str | None
    prices_of: str = AS_OF

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"unknown": list(self.unknown)}


def estimate(work: Work, settings: Settings, region: str | None) -> Estimate:
    """Estimate a run at on-demand prices, because Spot nodes fall back to on-demand."""
    fleet, cost, images, core_nodes = settings.fleet, settings.cost, work.images, work.core_nodes
    cores = (core_nodes + fleet.task_nodes) * worker_cores(fleet)
    seconds = cost.boot_seconds + JOBS_SECONDS
    seconds += round(images / (cost.images_per_core * cores) + work.rows / (ROWS_PER_CORE * cores))
    hourly = _hourly(core_nodes, fleet, region)
    dollars = None if hourly is None else round(hourly * max(seconds, 60) / 3600, 4)
    return Estimate(
        images=images,
        core_nodes=core_nodes,
        task_nodes=fleet.task_nodes,
        cores=cores,
        seconds=seconds,
        dollars=dollars,
        per_1000_images=per_1000(dollars, images),
        unknown=tuple(sorted(name for name in _types(fleet) if hourly_price(name, region) is None)),
        region=region,
    )


def validate_cost(estimated: Estimate, ceiling: float | None) -> None:
    """Raise OrchardError if a run might cost more than ``ceiling`` dollars, or a price is unknown."""
    if ceiling is None or (estimated.dollars is not None and estimated.dollars <= ceiling):
        return
    if estimated.dollars is None:
        raise OrchardError(
            f"the cost of {', '.join(estimated.unknown)} in {estimated.region or 'no region'} is unknown",
            rule=f"a run with a ceiling of {ceiling:g} $ requires an estimate; prices.py lists known prices",
            remedy="use types and a region with known prices, or trigger the run without a ceiling",
        )
    raise OrchardError(
        f"{format_estimate(estimated)}",
        rule=f"the ceiling is {ceiling:g} $ (no cluster was created)",
        remedy="trigger the run with a higher cost_ceiling or fewer core_nodes, or raise "
        "ORCHARD_COST_CEILING",
    )


def format_estimate(estimated: Estimate) -> str:
    """Return the estimate as one line of text."""
    nodes = f"1 primary, {estimated.core_nodes} core and {estimated.task_nodes} task nodes"
    work = f"{estimated.images} new images: about {estimated.seconds / 60:.0f} minutes on {nodes}"
    if estimated.dollars is None:
        where = f"{', '.join(estimated.unknown)} in {estimated.region or 'no region'}"
        return f"{work}, cost unknown: no price for {where}"
    per_1000_images = estimated.per_1000_images
    each = "" if per_1000_images is None else f" ({per_1000_images:.4f} $ per 1,000 images)"
    prices = f"by {estimated.region}'s list prices of {estimated.prices_of}"
    return f"{work}, at most {estimated.dollars:.2f} ${each}, {prices}"


def per_1000(dollars: float | None, images: int) -> float | None:
    """Return dollars per 1,000 images."""
    return round(dollars * 1000 / images, 6) if dollars is not None and images else None


def _hourly(core_nodes: int, fleet: Fleet, region: str | None) -> float | None:
    """Return the hourly price of all nodes, at each fleet's most expensive type; None if one is unknown."""
    primary = [hourly_price(name, region) for name in fleet.primary_types]
    core = [hourly_price(name, region) for name in fleet.core_types]
    task = [hourly_price(name, region) for name in fleet.task_types]
    fleets = [(1, primary), (core_nodes, core), *([(fleet.task_nodes, task)] if fleet.task_nodes else [])]
    dearest = [(nodes, _dearest(prices)) for nodes, prices in fleets]
    if any(price is None for _, price in dearest):
        return None
    return sum(nodes * price for nodes, price in dearest if price is not None)


def _dearest(prices: Iterable[float | None]) -> float | None:
    known = list(prices)
    return None if None in known else max(price for price in known if price is not None)


def _types(fleet: Fleet) -> set[str]:
    return {*fleet.primary_types, *fleet.core_types, *(fleet.task_types if fleet.task_nodes else ())}
