"""What the jobs of a run say they did, and whether it adds up. Reads the run folder; writes nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from orchard.lake.objects import Storage
from orchard_jobs.contract import ExportJob, FeaturizeJob, ReduceJob, Status
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Reports:
    """The final reports of a run's three jobs."""

    featurize: Report
    reduce: Report
    export: Report

    @classmethod
    def of_run(cls, storage: Storage, folder: RunFolder, sensed: Mapping[str, Any]) -> Self:
        """Read the reports.

        Raises:
            OrchardError: if a job has not reported, has not succeeded, or worked on other input than is
                there now: of another listing, with another model, or of a job that ran again since.
        """
        jobs = (FeaturizeJob, ReduceJob, ExportJob)
        reports = cls(*(_read(storage, folder, job.NAME, sensed["listing"]) for job in jobs))
        reports.refuse_other_model(sensed["model_id"])
        reports.refuse_stale()
        return reports

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


def counts_of(sensed: Mapping[str, Any], reports: Reports) -> dict[str, int]:
    """Return the counts of a run, reconciled.

    Raises:
        OrchardError: unless listed = featurized + rejected + known, and the rows of the CSV are those
            that earlier runs left and those that this one made, no more and no less.
    """
    counts = {
        "listed": int(sensed["listed"]),
        "featurized": reports.featurized,
        "rejected": sum(reports.rejected.values()),
        "known": int(sensed["known"]),
        "deleted": int(sensed["deleted"]),
    }
    if counts["listed"] != counts["featurized"] + counts["rejected"] + counts["known"]:
        raise _unreconciled(counts, "listed = featurized + rejected + known")
    rows = {
        "exported": reports.export["rows"],
        "reduced": reports.reduce["rows"],
        "counted": reports.reduce["counted_rows"],
        "kept+featurized": int(sensed["kept"]) + reports.featurized,
    }
    if len(set(rows.values())) != 1:
        raise _unreconciled(rows, "exported = reduced = counted = kept + featurized")
    return counts


def _unreconciled(counts: Mapping[str, Any], rule: str) -> OrchardError:
    return OrchardError(
        " ".join(f"{name}={count}" for name, count in counts.items()),
        rule=rule,
        remedy="clear this run's task 'sense' to list and compute again; nothing has been published",
    )


def _read(storage: Storage, folder: RunFolder, job: str, listing: str) -> Report:
    uri = folder.report(job)
    try:
        report: Report = json.loads(storage.read(uri).data)
    except FileNotFoundError:
        raise OrchardError(
            f"no report at {uri}", rule=f"'{job}' writes one", remedy=f"clear this run's task '{job}'"
        ) from None
    if report.get("state") != "succeeded":
        raise OrchardError(
            f"{uri} has state {report.get('state')}",
            rule="only a run whose jobs succeeded is published",
            remedy=f"clear this run's task '{job}'",
        )
    if report.get("listing") != listing:
        raise OrchardError(
            f"{uri} is of the listing {report.get('listing')}, the run is of {listing}",
            rule="'sense' has been run again since, and the jobs work on what it found last",
            remedy=f"clear this run's task '{job}' with its downstream tasks",
        )
    return report
