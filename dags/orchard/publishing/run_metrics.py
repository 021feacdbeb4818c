"""The metrics of a run: what its jobs say of themselves. Reads the run folder; writes nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from orchard.lake.objects import Storage
from orchard.lake.sensed import Sensed
from orchard_jobs.contract import ExportJob, FeaturizeJob, ReduceJob, Status
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

JobMetrics = Mapping[str, Any]
"""What one job wrote of itself: see ``RunFolder.metrics``."""


@dataclass(frozen=True)
class RunMetrics:
    """The final metrics of a run's three jobs."""

    featurize: JobMetrics
    reduce: JobMetrics
    export: JobMetrics

    @classmethod
    def load(cls, storage: Storage, folder: RunFolder, sensed: Sensed) -> Self:
        """Read them.

        Raises:
            OrchardError: if a job has not reported, has not succeeded, or worked on other input than is
                there now: of another listing, with another model, or of a job that ran again since.
        """
        jobs = (FeaturizeJob, ReduceJob, ExportJob)
        metrics = cls(*(_read(storage, folder, job.NAME, sensed["listing"]) for job in jobs))
        metrics.refuse_other_model(sensed["feature_spec"]["model"])
        metrics.refuse_stale()
        return metrics

    def refuse_other_model(self, model_id: str) -> None:
        found = self.featurize["model"]["id"]
        if found != model_id:
            raise OrchardError(
                f"features of the model {found}",
                rule=f"the run is of {model_id}, which 'sense' has seen",
                remedy="give a new artefact a new URI; clear this run's task 'sense'",
            )

    def refuse_stale(self) -> None:
        """Each job reads what the one before wrote; what began before that was finished is of older rows."""
        for before, after in pairwise((self.featurize, self.reduce, self.export)):
            if after["started_at"] < before["finished_at"]:
                raise OrchardError(
                    f"'{before['job']}' has run again since '{after['job']}' did",
                    rule=f"'{after['job']}' works on what '{before['job']}' wrote last",
                    remedy=f"clear this run's task '{after['job']}' with its downstream tasks",
                )

    @property
    def featurized(self) -> int:
        return int(self.featurize["counts"].get(Status.OK.value, 0))

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected images by status."""
        counts: dict[str, int] = self.featurize["counts"]
        return {status: count for status, count in counts.items() if status != Status.OK.value and count}


def _read(storage: Storage, folder: RunFolder, job: str, listing: str | None) -> JobMetrics:
    uri = folder.metrics(job)
    try:
        metrics: JobMetrics = json.loads(storage.read(uri).data)
    except FileNotFoundError:
        raise OrchardError(
            f"no report at {uri}", rule=f"'{job}' writes one", remedy=f"clear this run's task '{job}'"
        ) from None
    if metrics.get("state") != "succeeded":
        raise OrchardError(
            f"{uri} has state {metrics.get('state')}",
            rule="only a run whose jobs succeeded is published",
            remedy=f"clear this run's task '{job}'",
        )
    if metrics.get("listing") != listing:
        raise OrchardError(
            f"{uri} is of the listing {metrics.get('listing')}, the run is of {listing}",
            rule="'sense' has been run again since, and the jobs work on what it found last",
            remedy=f"clear this run's task '{job}' with its downstream tasks",
        )
    return metrics
