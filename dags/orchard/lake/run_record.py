"""run.json: the record of one published run. Written once, on publication."""

from collections.abc import Mapping
from typing import Any, TypedDict


class RunCounts(TypedDict):
    """Images of a run. listed = featurized + rejected + known."""

    listed: int
    """In the folder of images."""
    featurized: int
    """New, with features."""
    rejected: int
    """New, and not usable: see rejects.csv."""
    known: int
    """Listed, but already processed by an earlier run."""
    deleted: int
    """Processed by an earlier run, but no longer listed."""


class RunRecord(TypedDict):
    """The content of run.json. Earlier versions of Orchard wrote less of it."""

    run: str
    """The run's slug, which names its folder."""
    run_id: str
    """Airflow's id of the run."""
    dag_id: str | None
    """The run's DAG; null for a run of `orchard run`."""
    published_at: str
    """ISO 8601, UTC."""
    counts: RunCounts
    """Images: listed = featurized + rejected + known."""
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
    """Digest of the basis, which names its folder in `basis/`."""
    components: int
    """Number of components kept, K."""
    rank: int
    """Number of components that explain any variance: fewer if the images span fewer directions."""
    variance_kept: float
    """Share, from 0 to 1."""
    fitted_rows: int | None
    """Images that the basis was fitted on."""
    rows: int
    """Rows of the CSV."""
    weights: str | None
    """`imagenet`, `untrained`, or the name of the file of the weights."""
    model: dict[str, Any]
    """Id, weights, number of features and SHA-256 of the model artefact."""
    runtime: str | None
    """What computed the features: `openvino` or `tensorflow`."""
    precision: str | None
    """Number format of the inference: `float32` or `bfloat16`."""
    decoding: str
    """Of large JPEGs: `exact` or `scaled`."""
    damaged_images: str
    """`reject` or `accept`."""
    instruction_set: str | None
    """Where the inference was limited to one, as `avx2`."""
    images_per_second: float | None
    """Of the job featurize."""
    seconds: dict[str, float | None]
    """Wall-clock seconds by job."""
    times: dict[str, list[str]]
    """When each job started and finished; ISO 8601."""
    phases: dict[str, dict[str, float]]
    """Wall-clock seconds by job and phase."""
    worker_seconds: dict[str, float]
    """Total seconds of featurize's workers, by activity."""
    versions: dict[str, str]
    """Of Python and the libraries that computed the features."""
    cluster: dict[str, Any]
    """The EMR cluster: its id and its sizes; for a run of `orchard run`, Spark's master."""
    estimate: Mapping[str, Any] | None
    """Minutes and dollars that the run was expected to take."""
    cost: Mapping[str, Any] | None
    """Up to publication; the final cost is in cost.json."""
    csv: str
    """URI of features.csv."""
    files: list[str]
    """URIs of all CSV files."""


class LatestRecord(TypedDict):
    """The content of latest.json: the newest published run, and all runs."""

    run: str
    """Slug of the newest published run."""
    published_at: str
    """ISO 8601, UTC."""
    images: str
    """URI of the folder of its images."""
    basis_id: str
    """Its basis."""
    run_json: str
    """URI of its run.json."""
    csv: str
    """URI of its features.csv."""
    runs: list[dict[str, str]]
    """All published runs in order of publication, which file names and times do not preserve: slug, images,
    how their features were computed, when they were published, their basis and their DAG."""


class CostRecord(TypedDict):
    """The content of cost.json: the cost of a run's clusters."""

    dollars: float | None
    """By list prices; null where the price of an instance type is unknown."""
    per_1000_images: float | None
    """Dollars per 1,000 new images."""
    instances: int
    """How many instances the clusters had."""
    instance_seconds: int
    """Billed seconds of all instances together."""
    until: str
    """When this was counted; ISO 8601, UTC."""
    region: str | None
    """AWS region of the prices."""
    prices_of: str
    """Month of the list prices."""
    unknown: list[str]
    """Instance types without a known price."""
