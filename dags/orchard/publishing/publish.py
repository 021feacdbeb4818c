"""Publish a run: write its basis, run.json, its ledger entry and, last, latest.json.

Everything that nodes wrote is validated first. Each file is one write, and the last one commits: after a
crash before it, or a conflict with another run, readers stay on the previous run. Publishing can be repeated;
publishing a published run writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchard.lake.layout import Lake
from orchard.lake.ledger import next_ledger
from orchard.lake.objects import Storage, to_json
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.lake.run_record import LatestRecord, RunRecord
from orchard.lake.sensed import Sensed
from orchard.publishing.reconciliation import reconcile
from orchard.publishing.run_basis import publish_basis, read_basis
from orchard.publishing.run_metrics import RunMetrics
from orchard.publishing.run_rows import read_rows
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder


@dataclass(frozen=True)
class Publication:
    """A run that is about to be published.

    Args:
        slug: The run's folder.
        run_id: Its Airflow run id.
        dag_id: Its DAG; None for a run of `orchard run`.
        sensed: What ``sense`` found.
        cluster: Facts about the cluster.
        cost: Its cost so far; None if unknown.
    """

    slug: str
    run_id: str
    sensed: Sensed
    cluster: Mapping[str, Any]
    cost: Mapping[str, Any] | None = None
    dag_id: str | None = None

    @property
    def spec(self) -> FeatureSpec:
        """How its features are computed, as ``sense`` decided, not as nodes report."""
        return FeatureSpec.from_json(self.sensed["feature_spec"])

    def published_run(self, record: RunRecord) -> PublishedRun:
        """Return its entry in latest.json."""
        return PublishedRun(
            self.slug,
            self.sensed["images"],
            self.spec,
            published_at=record["published_at"],
            basis_id=record["basis_id"],
            dag_id=self.dag_id,
        )


def publish(storage: Storage, lake: Lake, publication: Publication) -> RunRecord:
    """Publish a run, unless it is already published; return its run.json.

    Raises:
        OrchardError: if the counts do not add up, a job did not succeed, what nodes wrote is invalid, or
            another run has been published since this one read the ledger. Nothing is published then.
    """
    folder = lake.run(publication.slug)
    index = RunIndex.load(storage, lake)
    if publication.slug in index:
        return index.read(publication.slug)
    metrics = RunMetrics.load(storage, folder, publication.sensed)
    basis = read_basis(storage, folder, metrics.reduce)
    record = build_record(publication, metrics, folder, basis.rank)
    rows = read_rows(storage, folder, publication.sensed, metrics)
    _validate_predecessor(index, publication, lake)
    publish_basis(storage, lake, basis.files, record["basis_id"])
    storage.write(folder.run_json, to_json(record))
    ledger = next_ledger(*rows, publication.slug)
    storage.write(lake.ledger_entry(publication.slug), to_parquet(ledger))
    runs = index.with_run(publication.published_run(record))
    storage.replace(lake.latest, to_json(_build_latest(record, runs, folder)), index.version)
    return record


def build_record(publication: Publication, metrics: RunMetrics, folder: RunFolder, rank: int) -> RunRecord:
    """Return the content of run.json. Pure, except for the time."""
    featurize, reduce, export = metrics.featurize, metrics.reduce, metrics.export
    spec = publication.spec
    return {
        "run": publication.slug,
        "run_id": publication.run_id,
        "dag_id": publication.dag_id,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": reconcile(publication.sensed, metrics),
        "rejected": metrics.rejected,
        "images": publication.sensed["images"],
        "code": publication.sensed["code"],
        "builds_on": publication.sensed["builds_on"],
        "basis": str(reduce.basis),
        "basis_id": reduce.basis_id,
        "components": reduce.k,
        "rank": rank,
        "variance_kept": reduce.variance_kept,
        "fitted_rows": reduce.fitted_rows,
        "rows": export.rows,
        "weights": featurize.model.weights,
        "model": featurize.model.model_dump(exclude_unset=True),
        "runtime": featurize.runtime,
        "precision": str(spec.precision),
        "decoding": str(spec.decoding),
        "damaged_images": str(spec.damaged_images),
        "instruction_set": spec.instruction_set and str(spec.instruction_set),
        "images_per_second": featurize.images_per_second,
        "seconds": {name: one.seconds for name, one in metrics.by_job.items()},
        "times": {name: one.times for name, one in metrics.by_job.items()},
        "phases": {name: one.phases for name, one in metrics.by_job.items()},
        "worker_seconds": featurize.worker_seconds,
        "versions": featurize.versions,
        "cluster": dict(publication.cluster),
        "estimate": publication.sensed.get("estimate"),
        "cost": publication.cost,
        "csv": f"{folder.csv}/features.csv",
        "files": export.files,
    }


def _build_latest(record: RunRecord, runs: list[dict[str, str]], folder: RunFolder) -> LatestRecord:
    return {
        "run": record["run"],
        "published_at": record["published_at"],
        "images": record["images"],
        "basis_id": record["basis_id"],
        "run_json": folder.run_json,
        "csv": record["csv"],
        "runs": runs,
    }


def _validate_predecessor(index: RunIndex, publication: Publication, lake: Lake) -> None:
    if index.latest != publication.sensed["predecessor"]:
        raise OrchardError(
            f"{lake.latest} names a run that was published after this run's 'sense': {index.latest}",
            rule="a run must build on the newest published run",
            remedy="clear this run's task 'sense', so that it builds on what is published now",
        )
