"""One run without Airflow and EMR: sense, the three jobs by spark-submit, publish. The same lake."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cli.spark import Spark
from orchard.choices import Choices
from orchard.compact import compact
from orchard.event_logs import event_log_conf
from orchard.jobs import RunJobs
from orchard.lake import Lake, run_slug
from orchard.publish import Publication, publish
from orchard.report.write import write_report
from orchard.sensing import sense
from orchard.settings import Settings
from orchard.sizes import spark_sizes
from orchard.storage import Storage, storage_for
from orchard_jobs.contract import Job

Progress = Callable[[str, dict[str, Any]], None]
"""Told a job's name and its report so far, several times a second."""


def compute(settings: Settings, choices: Choices, master: str, tell: Progress) -> dict[str, Any] | None:
    """Compute what is new and publish it; return what run.json says, None where nothing is new.

    Raises:
        OrchardError: what went wrong, in one line. Nothing is published then.
    """
    run_id = f"cli__{datetime.now(UTC).isoformat()}"
    slug, lake = run_slug(run_id), Lake(settings.places.lake)
    storage = storage_for(lake.uri, settings.access)
    sensed = sense(slug, choices, settings)
    if not sensed["new"]:
        return None
    jobs = RunJobs(slug, choices, settings)
    memory = spark_sizes(settings.fleet, settings.spark).driver_memory
    spark = Spark(master, memory, event_log_conf(settings.places.logs))
    for make in (jobs.featurize, jobs.reduce, jobs.export):
        job: Job = make(sensed)
        report = jobs.folder.report(job.NAME)
        spark.submit(job, slug, partial(_look, storage, report, partial(tell, job.NAME)))
    publication = Publication(slug=slug, run_id=run_id, sensed=sensed, cluster={"id": master})
    summary = publish(storage, lake, publication)
    compact(storage, lake)
    write_report(storage, lake, slug)
    return summary


def _look(storage: Storage, report: str, tell: Callable[[dict[str, Any]], None]) -> None:
    """Tell of a job's report so far; an empty one while there is none, or half of it."""
    try:
        tell(json.loads(storage.read(report).data))
    except (FileNotFoundError, ValueError):
        tell({})
