"""The progress of an unpublished run, from its jobs' metrics."""

from dataclasses import dataclass

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage, read_json
from orchard_airflow.progress import count_done, describe_progress, describe_result
from orchard_jobs.contract import ExportJob, FeaturizeJob, ReduceJob
from orchard_jobs.errors import OrchardError


@dataclass(frozen=True)
class JobProgress:
    """One job of a run.

    Args:
        job: Its name.
        text: Its progress or result, as one line of text.
        done: Number of images done; None if unknown.
        total: Number of all its images; None if unknown.
    """

    job: str
    text: str
    done: float | None = None
    total: float | None = None


def find_progress(storage: Storage, lake: Lake, slug: str) -> list[JobProgress]:
    """Return a run's jobs that have started, in order. Only numbers are taken from what nodes write."""
    found = []
    for job in (FeaturizeJob.NAME, ReduceJob.NAME, ExportJob.NAME):
        try:
            metrics = read_json(storage, lake.run(slug).metrics(job))
        except (FileNotFoundError, ValueError, RecursionError, OrchardError):
            continue
        if isinstance(metrics, dict):
            text = describe_progress(metrics) or describe_result(metrics) or _state_of(metrics.get("state"))
            found.append(JobProgress(job, text, *count_done(metrics)))
    return found


def _state_of(state: object) -> str:
    return {"running": "working", "failed": "failed"}.get(str(state), "")
