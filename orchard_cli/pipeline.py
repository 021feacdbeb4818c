"""One run without Airflow and EMR: sense, the three jobs as one Spark application, publish. The same lake."""

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
"""Called with a job's name and its current metrics, several times a second."""


def compute(
    settings: Settings, choices: RunParams, spark: Spark, show_progress: Progress
) -> tuple[Sensed, RunRecord | None]:
    """Compute new images, or different components of known ones, and publish the run.

    Returns:
        What was sensed, and run.json; None if there was nothing to do.

    Raises:
        OrchardError: the reason, in one line. Nothing is published.
    """
    run_id = f"cli__{datetime.now(UTC).isoformat()}"
    slug, lake = run_slug(run_id), Lake(settings.places.lake)
    storage = storage_for(lake.uri, settings.access)
    sensed = sense(slug, choices, settings, by_hand=True)
    if sensed["listing"] is None:
        return sensed, None
    jobs = RunJobs(slug, choices, settings)
    sequence: list[Job] = [jobs.featurize(sensed), jobs.reduce(sensed), jobs.export(sensed)]
    watch = Watch(storage, jobs.folder, [job.NAME for job in sequence], show_progress)
    spark.submit(sequence, slug, watch.update)
    publication = Publication(slug=slug, run_id=run_id, sensed=sensed, cluster={"id": spark.master})
    try:
        summary = publish(storage, lake, publication)
    except OrchardError as error:
        # The original remedy is written for Airflow.
        remedy = "Run it again: published results are unchanged."
        raise OrchardError.of(error.message, remedy) from error
    compact(storage, lake)
    write_report(storage, lake, slug)
    write_missing_reports(storage, lake, slug)
    return sensed, summary


@dataclass
class Watch:
    """Shows the progress of an application's jobs, one after the other, from their metrics.

    Args:
        pending: Names of the jobs that have not succeeded yet; ``update`` removes those that have.
    """

    storage: Storage
    folder: RunFolder
    pending: list[str]
    show_progress: Progress

    def update(self) -> str:
        """Show the running job, and those that have succeeded since the last call; return the running one."""
        while True:
            name = self.pending[0]
            metrics = self._read(name)
            self.show_progress(name, metrics)
            if metrics.get("state") != "succeeded" or len(self.pending) == 1:
                return name
            self.pending.pop(0)

    def _read(self, name: str) -> dict[str, Any]:
        """Return a job's current metrics; {} before they are written, or while they are incomplete."""
        try:
            metrics: dict[str, Any] = json.loads(self.storage.read(self.folder.metrics(name)).data)
        except (FileNotFoundError, ValueError):
            return {}
        return metrics
