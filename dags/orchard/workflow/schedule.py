"""What starts the DAG beside the clock, and what other DAGs may start on."""

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

    Its name and URI are those of latest.json, percent-encoded: of a plain URI Airflow would drop what
    follows a '#', and MySQL takes ASCII only.
    """
    return Asset(quote(Lake(lake).latest, safe="/:"))


def asset_event(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the asset's event says of a run. ``summary`` is the content of its run.json."""
    return {name: summary[name] for name in ("run", "csv", "rows", "basis_id")}


def schedule(settings: Settings) -> CronTriggerTimetable | AssetOrTimeSchedule:
    """Return when the DAG runs: by the clock and, where the settings name a queue, when images arrive.

    Any message starts a run; what is new, the run finds out itself. ``max_active_runs`` is 1: while one is
    active Airflow keeps one more in mind, however many messages come. So 1,000 messages at once were eleven
    events and ten runs, one after the other, of which nine found nothing new and were skipped.
    """
    nightly, queue_url = settings.nightly, settings.signals.queue_url
    # Without a start date, and with this, unpausing the DAG starts no run for the night before.
    clock = CronTriggerTimetable(
        nightly.cron, timezone=nightly.time_zone, run_immediately=timedelta(minutes=10)
    )
    if not queue_url:
        return clock
    arrivals = Asset(queue_url, watchers=[AssetWatcher("messages", _receive(queue_url, settings.access))])
    return AssetOrTimeSchedule(timetable=clock, assets=[arrivals])


def _receive(queue_url: str, access: Access) -> SqsSensorTrigger:
    """Take up to 100 messages at a time, look once a minute where there are none.

    They are deleted as soon as they are read. Should the triggerer die between that and the event, the
    images wait for the clock, or for the next message.
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
