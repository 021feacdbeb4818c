"""run.json: the record of one published run. Written once, on publication."""

from collections.abc import Mapping
from typing import Any, TypedDict


class RunCounts(TypedDict):
    """Images of a run. listed = featurized + rejected + known."""

    listed: int
    featurized: int
    rejected: int
    known: int
    """Listed, but already processed by an earlier run."""
    deleted: int
    """Processed by an earlier run, but no longer listed."""


class RunRecord(TypedDict):
    """The content of run.json. Earlier versions of Orchard wrote less of it."""

    run: str
    """Its slug, which names its folder."""
    run_id: str
    """Its Airflow run id."""
    dag_id: str | None
    """Its DAG; None for a run of `orchard run`."""
    published_at: str
    """ISO 8601, UTC."""
    counts: RunCounts
    rejected: dict[str, int]
    """Rejected images by status."""
    images: str
    """URI of the image folder."""
    code: str
    """URI of the code that the jobs ran."""
    builds_on: str | None
    """Slug of the run that this one builds on."""
    basis: str
    """refit or reuse."""
    basis_id: str
    components: int
    rank: int
    """Number of components that explain any variance: fewer if the images span fewer directions."""
    variance_kept: float
    """Share, from 0 to 1."""
    fitted_rows: int | None
    rows: int
    """Rows of the CSV."""
    weights: str | None
    model: dict[str, Any]
    """The card of the model artefact."""
    runtime: str | None
    precision: str | None
    decoding: str
    damaged_images: str
    instruction_set: str | None
    images_per_second: float | None
    seconds: dict[str, float | None]
    """Wall-clock seconds by job."""
    times: dict[str, list[str]]
    """When each job started and finished; ISO 8601."""
    phases: dict[str, dict[str, float]]
    """Wall-clock seconds by job and phase."""
    worker_seconds: dict[str, float]
    """Total seconds of featurize's workers, by activity."""
    versions: dict[str, str]
    cluster: dict[str, Any]
    estimate: Mapping[str, Any] | None
    cost: Mapping[str, Any] | None
    """Up to publication; the final cost is in cost.json."""
    csv: str
    files: list[str]
    """URIs of all CSV files."""
