"""Read and validate the metrics that a run's jobs wrote. Writes nothing.

Nodes open untrusted images, so an attacker may control what they write: metrics must have the fields below,
with plausible values.
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

MOST_BYTES = 2**20  # real metrics have 3 kB

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[float, Field(ge=0)]


class JobMetrics(BaseModel):
    """The metrics common to all jobs."""

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


Metrics = TypeVar("Metrics", bound=JobMetrics)


class ModelFacts(BaseModel):
    """The model that computed the features, from its card."""

    model_config = ConfigDict(strict=True, frozen=True)

    id: Text
    weights: Text | None = None
    features: Count | None = None
    sha256: Text | None = None


class FeaturizeMetrics(JobMetrics):
    counts: dict[Status, Count]
    """Rows by status."""
    model: ModelFacts
    """The model artefact, by its card."""
    runtime: Text | None = None
    """What computed the features."""
    images_per_second: Number | None = None
    """Of all cores together."""
    worker_seconds: dict[Text, Number] = Field(default={}, max_length=32)
    """Total over all workers, by activity."""


class ReduceMetrics(JobMetrics):
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


class ExportMetrics(JobMetrics):
    rows: Count
    """Rows of the CSV."""
    rejected: Count
    """Rows of rejects.csv."""
    files: list[Annotated[str, StringConstraints(max_length=4096)]] = Field(default=[], max_length=100_000)
    """URIs of the CSVs."""


@dataclass(frozen=True)
class RunMetrics:
    """The final metrics of a run's three jobs."""

    featurize: FeaturizeMetrics
    reduce: ReduceMetrics
    export: ExportMetrics

    @classmethod
    def load(cls, storage: Storage, folder: RunFolder, sensed: Sensed) -> Self:
        """Read and validate the metrics.

        Raises:
            OrchardError: if a job's metrics are missing or invalid, it has not succeeded, or its input has
                changed since: another listing, another model, or a job before it that ran again.
        """
        listing = sensed["listing"]
        metrics = cls(
            _read(storage, folder, FeaturizeJob.NAME, listing, FeaturizeMetrics),
            _read(storage, folder, ReduceJob.NAME, listing, ReduceMetrics),
            _read(storage, folder, ExportJob.NAME, listing, ExportMetrics),
        )
        metrics.validate_model(sensed["feature_spec"]["model"])
        metrics.validate_order()
        metrics.validate_files(folder)
        return metrics

    @property
    def by_job(self) -> Mapping[str, JobMetrics]:
        """The metrics, by job."""
        return vars(self)

    def validate_model(self, model_id: str) -> None:
        found = self.featurize.model.id
        if found != model_id:
            raise OrchardError(
                f"features of the model {found}",
                rule=f"'sense' found the model {model_id}",
                remedy="put a new model at a new URI, and clear this run's task 'sense'",
            )

    def validate_order(self) -> None:
        """Each job reads the previous job's output, so it must have started after that job finished."""
        for (before, earlier), (after, later) in pairwise(self.by_job.items()):
            if later.started_at < earlier.finished_at:
                raise OrchardError(
                    f"'{before}' has run again since '{after}'",
                    rule=f"'{after}' must run after '{before}'",
                    remedy=f"clear this run's task '{after}' with its downstream tasks",
                )

    def validate_files(self, folder: RunFolder) -> None:
        """Check the CSV files, which readers are directed to."""
        others = [uri for uri in self.export.files if not _is_csv_of(folder, uri)]
        if others:
            raise OrchardError(
                f"'{ExportJob.NAME}' names {_show(others[0])} as a CSV of the run",
                rule=f"all must be in {folder.csv}",
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


def _read(storage: Storage, folder: RunFolder, job: str, listing: str | None, kind: type[Metrics]) -> Metrics:
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
            f"{uri} has the listing {_show(content.get('listing'))}, the run has {listing}",
            rule="'sense' has run again since, so the jobs must too",
            remedy=f"clear this run's task '{job}' with its downstream tasks",
        )
    try:
        return kind.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise OrchardError(
            f"{uri} cannot be used ({_show(place)}: {first['msg']})",
            rule=f"it must be the metrics of '{job}'",
            remedy=f"clear this run's task '{job}' with its downstream tasks",
        ) from None


def _read_object(storage: Storage, uri: str, job: str) -> dict[str, Any]:
    try:
        content = json.loads(storage.read(uri, MOST_BYTES).data)
    except FileNotFoundError:
        raise OrchardError(
            f"no metrics at {uri}", rule=f"'{job}' writes them", remedy=f"clear this run's task '{job}'"
        ) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise OrchardError(
            f"{uri} is not a JSON object", rule=f"'{job}' writes one", remedy=f"clear this run's task '{job}'"
        )
    return content


def _show(value: object) -> str:
    """Return a node's text as at most 100 printable characters, so that it cannot forge log lines."""
    return str(value)[:100].encode("unicode_escape").decode()
