"""The metrics of a run: what its jobs say of themselves, checked. Reads the run folder; writes nothing.

Nodes open images that nobody has checked, so a node may be somebody else's by the time that it writes: a
report has the fields below with values that they can have, or it is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from orchard.lake.objects import Storage
from orchard.lake.sensed import Sensed
from orchard_jobs.contract import BasisMode, ExportJob, FeaturizeJob, ReduceJob, Status
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

MOST_BYTES = 2**20  # of a report; real ones have 3 kB

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[float, Field(ge=0)]


class JobReport(BaseModel):
    """What every job says of itself."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    job: Text
    """Name of the job."""
    started_at: AwareDatetime
    """ISO 8601, UTC."""
    finished_at: AwareDatetime
    """ISO 8601, UTC."""
    seconds: Number | None = None
    """Wall-clock seconds."""
    phases: dict[Text, Number] = Field(default={}, max_length=32)
    """Wall-clock seconds by phase."""
    versions: dict[Text, Text] = Field(default={}, max_length=32)
    """Of Python and the libraries."""

    @property
    def times(self) -> list[str]:
        """When the job started and finished, as ISO 8601."""
        return [self.started_at.isoformat(), self.finished_at.isoformat()]


Report = TypeVar("Report", bound=JobReport)


class ModelFacts(BaseModel):
    """The model that computed the features, by its card."""

    model_config = ConfigDict(strict=True, frozen=True)

    id: Text
    weights: Text | None = None
    features: Count | None = None
    sha256: Text | None = None


class FeaturizeReport(JobReport):
    counts: dict[Status, Count]
    """Rows by status."""
    model: ModelFacts
    """The model artefact, by its card."""
    runtime: Text | None = None
    """What computed the features."""
    images_per_second: Number | None = None
    """Of all cores together."""
    worker_seconds: dict[Text, Number] = Field(default={}, max_length=32)
    """Of all workers together, by what they did."""


class ReduceReport(JobReport):
    basis: BasisMode
    """Whether the basis was fitted again."""
    basis_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
    """Digest of the basis."""
    k: Annotated[int, Field(ge=1, le=2**16)]
    """Number of components."""
    variance_kept: Annotated[float, Field(ge=0, le=1 + 1e-9)]
    """Share, from 0 to 1; rounding may leave it a little above."""
    fitted_rows: Count | None = None
    """Rows that the basis was fitted on."""
    counted_rows: Count
    """Rows that the statistics are of."""
    rows: Count
    """Rows of the components."""


class ExportReport(JobReport):
    rows: Count
    """Rows of the CSV."""
    rejected: Count
    """Rows of rejects.csv."""
    files: list[Annotated[str, StringConstraints(max_length=4096)]] = Field(default=[], max_length=100_000)
    """URIs of the CSVs."""


@dataclass(frozen=True)
class RunMetrics:
    """The final metrics of a run's three jobs."""

    featurize: FeaturizeReport
    reduce: ReduceReport
    export: ExportReport

    @classmethod
    def load(cls, storage: Storage, folder: RunFolder, sensed: Sensed) -> Self:
        """Read them.

        Raises:
            OrchardError: if a job has not reported, has not succeeded, reports what cannot be, or worked on
                other input than is there now: of another listing, with another model, or of a job that ran
                again since.
        """
        listing = sensed["listing"]
        metrics = cls(
            _read(storage, folder, FeaturizeJob.NAME, listing, FeaturizeReport),
            _read(storage, folder, ReduceJob.NAME, listing, ReduceReport),
            _read(storage, folder, ExportJob.NAME, listing, ExportReport),
        )
        metrics.refuse_other_model(sensed["feature_spec"]["model"])
        metrics.refuse_stale()
        metrics.refuse_other_files(folder)
        return metrics

    @property
    def by_job(self) -> Mapping[str, JobReport]:
        """The reports, by the names of their jobs."""
        return vars(self)

    def refuse_other_model(self, model_id: str) -> None:
        found = self.featurize.model.id
        if found != model_id:
            raise OrchardError(
                f"features of the model {found}",
                rule=f"the run is of {model_id}, which 'sense' has seen",
                remedy="give a new artefact a new URI; clear this run's task 'sense'",
            )

    def refuse_stale(self) -> None:
        """Each job reads what the one before wrote; what began before that was finished is of older rows."""
        for (before, earlier), (after, later) in pairwise(self.by_job.items()):
            if later.started_at < earlier.finished_at:
                raise OrchardError(
                    f"'{before}' has run again since '{after}' did",
                    rule=f"'{after}' works on what '{before}' wrote last",
                    remedy=f"clear this run's task '{after}' with its downstream tasks",
                )

    def refuse_other_files(self, folder: RunFolder) -> None:
        """Readers are sent to the files that are named here."""
        others = [uri for uri in self.export.files if not _is_csv_of(folder, uri)]
        if others:
            raise OrchardError(
                f"'{ExportJob.NAME}' names {_show(others[0])} as a CSV of the run",
                rule=f"they are in {folder.csv}",
                remedy=f"clear this run's task '{ExportJob.NAME}'",
            )

    @property
    def featurized(self) -> int:
        return self.featurize.counts.get(Status.OK, 0)

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected images by status."""
        counts = self.featurize.counts.items()
        return {status.value: count for status, count in counts if status is not Status.OK and count}


def _is_csv_of(folder: RunFolder, uri: str) -> bool:
    place, _, name = uri.rpartition("/")
    return place == folder.csv and name.endswith(".csv") and name.isascii() and name.isprintable()


def _read(storage: Storage, folder: RunFolder, job: str, listing: str | None, kind: type[Report]) -> Report:
    uri = folder.metrics(job)
    content = _read_object(storage, uri, job)
    if content.get("state") != "succeeded":
        raise OrchardError(
            f"{uri} has state {_show(content.get('state'))}",
            rule="only a run whose jobs succeeded is published",
            remedy=f"clear this run's task '{job}'",
        )
    if content.get("listing") != listing:
        raise OrchardError(
            f"{uri} is of the listing {_show(content.get('listing'))}, the run is of {listing}",
            rule="'sense' has been run again since, and the jobs work on what it found last",
            remedy=f"clear this run's task '{job}' with its downstream tasks",
        )
    try:
        return kind.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise OrchardError(
            f"{uri} cannot be used ({_show(place)}: {first['msg']})",
            rule=f"it is what '{job}' wrote of itself",
            remedy=f"clear this run's task '{job}' with its downstream tasks",
        ) from None


def _read_object(storage: Storage, uri: str, job: str) -> dict[str, Any]:
    try:
        content = json.loads(storage.read(uri, MOST_BYTES).data)
    except FileNotFoundError:
        raise OrchardError(
            f"no report at {uri}", rule=f"'{job}' writes one", remedy=f"clear this run's task '{job}'"
        ) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise OrchardError(
            f"{uri} is no JSON object", rule=f"'{job}' writes one", remedy=f"clear this run's task '{job}'"
        )
    return content


def _show(value: object) -> str:
    """Return what a node wrote as a few printable characters: no line of a log can be made of it."""
    return str(value)[:100].encode("unicode_escape").decode()
