"""One run without Airflow and EMR: sense, the three jobs as one application, publish. The same lake."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_spark.submit import Spark
from orchard.emr.job_args import RunJobs
from orchard.lake.compaction import compact
from orchard.lake.layout import Lake, run_slug
from orchard.lake.objects import Storage
from orchard.lake.run_record import RunRecord
from orchard.lake.sensed import Sensed
from orchard.lake.storage import storage_for
from orchard.publishing.publish import Publication, publish
from orchard.report.write import write_missing_reports, write_report
from orchard.sensing.sense import sense
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard_jobs.contract import Job
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

Progress = Callable[[str, dict[str, Any]], None]
"""Called with a job's name and its metrics so far, several times a second."""


def compute(
    settings: Settings, choices: RunParams, spark: Spark, tell: Progress
) -> tuple[Sensed, RunRecord | None]:
    """Compute what is new, or other components of what is known, and publish it.

    Returns:
        What was found, and run.json; None where there was nothing to do.

    Raises:
        OrchardError: what went wrong, in one line. Nothing is published then.
    """
    run_id = f"cli__{datetime.now(UTC).isoformat()}"
    slug, lake = run_slug(run_id), Lake(settings.places.lake)
    storage = storage_for(lake.uri, settings.access)
    sensed = sense(slug, choices, settings, by_hand=True)
    if sensed["listing"] is None:
        return sensed, None
    jobs = RunJobs(slug, choices, settings)
    in_turn: list[Job] = [jobs.featurize(sensed), jobs.reduce(sensed), jobs.export(sensed)]
    watch = Watch(storage, jobs.folder, [job.NAME for job in in_turn], tell)
    spark.submit(in_turn, slug, watch.look)
    publication = Publication(slug=slug, run_id=run_id, sensed=sensed, cluster={"id": spark.master})
    try:
        summary = publish(storage, lake, publication)
    except OrchardError as error:
        # What to do says it in Airflow's words.
        again = "Run it again: what is published stays as it is."
        raise OrchardError.of(error.message, again) from error
    compact(storage, lake)
    write_report(storage, lake, slug)
    write_missing_reports(storage, lake, slug)
    return sensed, summary


@dataclass
class Watch:
    """Tells of the jobs of an application by their metrics, in turn.

    Args:
        left: Names of those that have not ended; looking takes out what has.
    """

    storage: Storage
    folder: RunFolder
    left: list[str]
    tell: Progress

    def look(self) -> str:
        """Tell of the job at work, and of those that have ended since; return its name."""
        while True:
            name = self.left[0]
            metrics = self._read(name)
            self.tell(name, metrics)
            if metrics.get("state") != "succeeded" or len(self.left) == 1:
                return name
            self.left.pop(0)

    def _read(self, name: str) -> dict[str, Any]:
        """Return a job's metrics so far; none before it has written any, or while half is written."""
        try:
            metrics: dict[str, Any] = json.loads(self.storage.read(self.folder.metrics(name)).data)
        except (FileNotFoundError, ValueError):
            return {}
        return metrics
