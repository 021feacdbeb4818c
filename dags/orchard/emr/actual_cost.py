"""The actual cost of a run's clusters, by instance seconds, and current Spot prices."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orchard.emr.cost_estimate import per_1000
from orchard.emr.job_flow import cluster_name
from orchard.emr.prices import AS_OF, hourly_price
from orchard.lake.run_record import CostRecord
from orchard.settings.aws import Access
from orchard.settings.settings import Settings
from orchard_airflow.emr_api import ENDED_STATES, LIVE_STATES, find_clusters

log = logging.getLogger(__name__)

SHORTEST = 60
"""Minimum billed seconds of an instance."""

BRIEF = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})


def cluster_cost(tags: dict[str, str], images: int, settings: Settings) -> CostRecord | None:
    """Return the cost of a run's clusters, up to now or their termination; None if it cannot be determined.

    A run has several clusters if a task was cleared after the first one terminated. An unknown cost never
    fails the run.

    Args:
        tags: The run's tags.
    """
    try:
        client = EmrHook(**settings.access.hook, config=BRIEF).conn
        states = (*LIVE_STATES, "TERMINATING", *ENDED_STATES)
        clusters = find_clusters(client, cluster_name(tags), tags, states)
        instances = [instance for cluster in clusters for instance in _instances(client, cluster)]
        on_spot = sorted({one["InstanceType"] for one in instances if one.get("Market") == "SPOT"})
        return bill(instances, images, client.meta.region_name, spot_prices(on_spot, settings.access))
    except Exception:
        log.exception("The cost of this run is unknown")
        return None


def bill(
    instances: list[dict[str, Any]], images: int, region: str | None, spot: Mapping[str, float]
) -> CostRecord:
    """Return the cost of ``instances``, as ListInstances returns them. Pure, except for the time."""
    now = datetime.now(UTC)
    seconds: dict[tuple[str, str], float] = {}
    for instance in instances:
        key = (instance["InstanceType"], instance.get("Market", "ON_DEMAND"))
        seconds[key] = seconds.get(key, 0.0) + _seconds(instance["Status"]["Timeline"], now)
    prices = {
        (name, market): hourly_price(name, region, spot.get(name) if market == "SPOT" else None)
        for name, market in seconds
    }
    unknown = sorted({name for (name, _), price in prices.items() if price is None})
    dollars = None
    if instances and not unknown:
        dollars = round(sum((prices[key] or 0.0) * used / 3600 for key, used in seconds.items()), 4)
    return {
        "dollars": dollars,
        "per_1000_images": per_1000(dollars, images),
        "instances": len(instances),
        "instance_seconds": round(sum(seconds.values())),
        "until": now.isoformat(timespec="seconds"),
        "region": region,
        "prices_of": AS_OF,
        "unknown": unknown,
    }


def format_bill(cost: Mapping[str, Any]) -> str:
    """Return a cost as one line of text."""
    used = f"{cost['instances']} instances for {cost['instance_seconds']} s in all"
    if cost["dollars"] is None:
        where = f"{', '.join(cost['unknown']) or 'no instance'} in {cost['region'] or 'no region'}"
        return f"{used}, cost unknown: no price for {where}"
    each = (
        "" if cost["per_1000_images"] is None else f" ({cost['per_1000_images']:.4f} $ per 1,000 new images)"
    )
    return f"{used}: {cost['dollars']:.4f} ${each}, by {cost['region']}'s list prices of {cost['prices_of']}"


def spot_prices(names: list[str], access: Access) -> dict[str, float]:
    """Return current Spot prices, in the most expensive zone; an empty mapping if EC2 does not return any."""
    if not names:
        return {}
    try:
        client: Any = AwsGenericHook(**access.hook, client_type="ec2", config=BRIEF).conn
        answer = client.describe_spot_price_history(
            InstanceTypes=names, ProductDescriptions=["Linux/UNIX"], StartTime=datetime.now(UTC)
        )
    except (ClientError, BotoCoreError) as error:
        log.warning("Spot prices are unknown, using on-demand prices instead: %s", error)
        return {}
    prices: dict[str, float] = {}
    for item in answer["SpotPriceHistory"]:
        name = item["InstanceType"]
        prices[name] = max(prices.get(name, 0.0), float(item["SpotPrice"]))
    return prices


def find_region(access: Access) -> str | None:
    """Return the region of the clusters; None if it is not configured anywhere."""
    try:
        return access.region or EmrHook(**access.hook).conn_region_name
    except BotoCoreError:
        return None


def _instances(client: Any, cluster_id: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("list_instances").paginate(ClusterId=cluster_id)
    return [instance for page in pages for instance in page["Instances"]]


def _seconds(timeline: Mapping[str, datetime], now: datetime) -> float:
    """Return the billed seconds of an instance, from its creation to its end."""
    began = timeline.get("CreationDateTime", now)
    return max((timeline.get("EndDateTime", now) - began).total_seconds(), SHORTEST)
