"""When the DAG runs, and the asset that starts other DAGs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger
from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from orchard.lake.layout import Lake
from orchard.settings.aws import Access
from orchard.settings.settings import Settings


def results(lake: str) -> Asset:
    """Return the asset that is updated whenever a run of the lake is published.

    Its name and URI are latest.json's URI, percent-encoded: Airflow drops what follows a '#', and MySQL
    stores ASCII only.
    """
    return Asset(quote(Lake(lake).latest, safe="/:"))


def asset_event(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extra of the asset event for a run. ``summary`` is the content of its run.json."""
    return {name: summary[name] for name in ("run", "csv", "rows", "basis_id")}


def schedule(settings: Settings) -> CronTriggerTimetable | AssetOrTimeSchedule:
    """Return the schedule: cron and, if the settings name a queue, arriving images.

    Any message starts a run, which finds the new images itself. ``max_active_runs`` is 1, so Airflow queues
    at most one more run while one is active. Measured: 1,000 messages at once caused eleven events and ten
    successive runs, nine of which found nothing new and were skipped.
    """
    nightly, queue_url = settings.nightly, settings.signals.queue_url
    # With no start date and this, unpausing the DAG does not start a run for the previous night.
    clock = CronTriggerTimetable(
        nightly.cron, timezone=nightly.time_zone, run_immediately=timedelta(minutes=10)
    )
    if not queue_url:
        return clock
    arrivals = Asset(queue_url, watchers=[AssetWatcher("messages", _receive(queue_url, settings.access))])
    return AssetOrTimeSchedule(timetable=clock, assets=[arrivals])


def _receive(queue_url: str, access: Access) -> SqsSensorTrigger:
    """Receive up to 100 messages at a time; poll an empty queue once a minute.

    Messages are deleted when they are read. If the triggerer dies before it fires the event, the images wait
    for the next message or scheduled run.
    """
    return SqsSensorTrigger(
        queue_url,
        aws_conn_id=access.aws_conn_id,
        region_name=access.region,
        max_messages=10,
        num_batches=10,
        wait_time_seconds=1,
        waiter_delay=60,
    )
