"""The work of a DAG run's tasks."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from airflow.sdk import PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from orchard.emr.actual_cost import cluster_cost, find_region, format_bill
from orchard.emr.cost_estimate import Work, estimate, format_estimate, validate_cost
from orchard.emr.job_args import RunJobs
from orchard.emr.job_flow import cluster_name, run_job_flow, run_tags, validate_subnets
from orchard.emr.observed_rates import observe
from orchard.emr.steps import build_step
from orchard.lake.compaction import compact
from orchard.lake.event_logs import delete_event_logs
from orchard.lake.layout import Lake, run_slug
from orchard.lake.objects import Storage, to_json
from orchard.lake.retention import MAY_WORK, retain
from orchard.lake.run_index import RunIndex
from orchard.lake.run_record import CostRecord, RunRecord
from orchard.lake.sensed import Sensed
from orchard.lake.storage import storage_for
from orchard.publishing.glue import Catalog
from orchard.publishing.glue_sync import register
from orchard.publishing.publish import Publication, publish
from orchard.report.run_figures import noise
from orchard.sensing.sense import sense
from orchard.settings.hooks import glue_hook
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings, is_inside
from orchard.settings.sizing import core_nodes_for
from orchard.workflow.alerts import warn_rejected_images
from orchard.workflow.xcoms import ClusterFacts, read_cluster_facts, read_sensed, validate_base_run
from orchard_jobs.errors import OrchardError

log = logging.getLogger(__name__)


BY_HAND = ("manual", "operator_triggered")
"""Airflow's run types for runs that a user or another DAG triggers."""


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Fail the task without retries if a user has to fix something first."""
    try:
        yield
    except OrchardError as error:
        raise AirflowFailException(str(error)) from None


@dataclass(frozen=True)
class RunTasks:
    """The tasks of a DAG run. Each task starts from the current settings, so corrected settings take effect
    when it is cleared, except for images, code and how features are computed: see ``Sensed``.
    """

    dag_id: str
    run_id: str
    params: Mapping[str, Any]
    ti: Any
    settings: Settings
    by_hand: bool = False
    """Whether a user or another DAG triggered this run, not the schedule."""

    @classmethod
    def from_context(cls, context: Mapping[str, Any], settings: Settings) -> Self:
        by_hand = context["dag_run"].run_type in BY_HAND
        dag_id, run_id = context["dag"].dag_id, context["run_id"]
        return cls(dag_id, run_id, context["params"], context["ti"], settings, by_hand)

    @property
    def slug(self) -> str:
        return run_slug(self.run_id, self.dag_id)

    def validate_unpublished(self) -> None:
        """Check that the run is not published: readers use what a published run has written.

        Raises:
            AirflowFailException: if it is published.
        """
        with failing_for_good():
            if self.slug in RunIndex.load(self._storage(), self._lake):
                raise OrchardError(
                    f"run {self.slug} is published: {self._lake.latest} names it",
                    rule="a published run is never rewritten",
                    remedy="trigger a new run; here, clear only 'publish' and its downstream tasks",
                )

    def sense(self) -> PokeReturnValue:
        """Prepare the run if there are new images, or a manual run requires a refit.

        Raises:
            AirflowFailException: if neither waiting nor a retry can help.
        """
        with failing_for_good():
            validate_subnets(self.settings)
        self.validate_unpublished()
        with failing_for_good():
            self.tags()  # fail before the listing if the run id does not fit in a tag
            sensed = sense(self.slug, self._params(), self.settings, by_hand=self.by_hand)
            goes_on = sensed["listing"] is not None
            if goes_on:
                sensed["estimate"] = self._estimate(sensed)
        return PokeReturnValue(is_done=goes_on, xcom_value=dict(sensed))

    def tags(self) -> dict[str, str]:
        return run_tags(self.dag_id, self.run_id, self.settings)

    def cluster_name(self) -> str:
        return cluster_name(self.tags())

    def cluster_request(self) -> dict[str, Any]:
        sensed = self._sensed()
        return run_job_flow(self.tags(), self._core_nodes(sensed["new"]), self._settings_of_run(sensed))

    def step(self, job: str) -> dict[str, Any]:
        """Return the step of ``featurize``, ``reduce`` or ``export``."""
        jobs = RunJobs(self.slug, self._params(), self.settings)
        build_job = {"featurize": jobs.featurize, "reduce": jobs.reduce, "export": jobs.export}[job]
        sensed = self._sensed()
        settings = self._settings_of_run(sensed)
        with failing_for_good():
            validate_base_run(sensed, RunIndex.load(self._storage(), self._lake))
        return build_step(build_job(sensed), self.slug, settings.places.code, settings.spark.deploy_mode)

    def metrics_uri(self, job: str) -> str:
        return self._lake.run(self.slug).metrics(job)

    def publish(self) -> RunRecord:
        """Publish the run; return the content of run.json.

        Raises:
            AirflowFailException: if the run must not be published.
        """
        with failing_for_good():
            index = RunIndex.load(self._storage(), self._lake)
            if self.slug in index:  # its XComs may be gone by now
                record = index.read(self.slug)
            else:
                publication = self._publication()
                validate_base_run(publication.sensed, index)
                record = publish(self._storage(), self._lake, publication)
        warn_rejected_images(self.settings, record)
        if warning := noise(record):
            log.warning("%s", warning)
        return record

    def bill(self) -> None:
        """Log the final cost of the run's clusters, and write it beside run.json."""
        cost = self._cost()
        if cost:
            is_local = self._cluster_facts().get("local")
            log.info("%s: %s", "Local EMR; AWS would have cost" if is_local else "Cost", format_bill(cost))
            self._storage().write(self._lake.run(self.slug).cost, to_json(cost))

    def compact(self) -> list[str]:
        """Delete what newer runs have superseded, and what has expired; return the affected runs.

        Raises:
            AirflowFailException: if it is unclear what to keep.
        """
        storage, lake = self._storage(), self._lake
        compacted, days = compact(storage, lake), self.settings.nightly.retention_days
        with failing_for_good():
            expired = retain(storage, lake, days) if days else []
        logs = self.settings.places.logs
        if days and is_inside(logs, lake.uri):  # elsewhere, others may share the folder
            keep = max(timedelta(days=days), MAY_WORK)
            delete_event_logs(storage, logs, datetime.now(UTC) - keep)
        return [*compacted, *(slug for slug in expired if slug not in compacted)]

    def report(self) -> str:
        """Write the report of the published run, and missing reports of earlier runs.

        Returns:
            The URI of this run's report.

        Raises:
            AirflowFailException: if the run's results are missing.
        """
        # Imported here: charts are slow to load, and neither the DAG processor nor other tasks need them.
        from orchard.report.write import write_missing_reports, write_report  # noqa: PLC0415

        storage, lake = self._storage(), self._lake
        with failing_for_good():
            written = write_report(storage, lake, self.slug)
            for uri in write_missing_reports(storage, lake, self.slug):
                log.info("Wrote the missing report of an earlier run: %s", uri)
        return written

    def register(self) -> list[str]:
        """Register the published runs in Glue; return the new ones.

        Raises:
            AirflowFailException: if the tables belong to another lake.
        """
        client = glue_hook(self.settings.access).conn
        catalog = Catalog(client, self.settings.signals.glue_database or "")
        with failing_for_good():
            return register(catalog, self._storage(), self._lake)

    def _publication(self) -> Publication:
        return Publication(
            slug=self.slug,
            run_id=self.run_id,
            sensed=self._sensed(),
            cluster=self._cluster_facts(),
            cost=self._cost(),
            dag_id=self.dag_id,
        )

    def _estimate(self, sensed: Sensed) -> dict[str, Any]:
        """Return and log the run's cost estimate. Raises OrchardError if it exceeds the ceiling."""
        images, rows = sensed["new"], sensed["new"] + sensed["kept"]
        work = Work(images, rows, self._core_nodes(images))
        cost = observe(RunIndex.load(self._storage(), self._lake), self.settings.cost)
        estimated = estimate(work, replace(self.settings, cost=cost), find_region(self.settings.access))
        log.info("Estimate: %s", format_estimate(estimated))
        validate_cost(estimated, self._params().cost_ceiling)
        return estimated.to_json()

    def _core_nodes(self, images: int) -> int:
        return self._params().core_nodes or core_nodes_for(images, self.settings.fleet)

    def _cost(self) -> CostRecord | None:
        if self._cluster_facts()["id"] is None:
            return None
        return cluster_cost(self.tags(), self._sensed()["new"], self.settings)

    def _params(self) -> RunParams:
        return RunParams.parse(self.params, self.settings)

    def _settings_of_run(self, sensed: Sensed) -> Settings:
        """The current settings, with the code that ``sense`` saw: a deployment affects later runs only."""
        places = replace(self.settings.places, code=sensed["code"])
        return replace(self.settings, places=places)

    def _sensed(self) -> Sensed:
        with failing_for_good():
            return read_sensed(self.ti.xcom_pull(task_ids="sense"), self._params(), self.settings.places)

    def _cluster_facts(self) -> ClusterFacts:
        """What ``create_cluster`` recorded: by now the cluster may have terminated, and EMR may forget it."""
        with failing_for_good():
            return read_cluster_facts(self.ti.xcom_pull(task_ids="create_cluster", key="cluster"))

    @property
    def _lake(self) -> Lake:
        return Lake(self.settings.places.lake)

    def _storage(self) -> Storage:
        return storage_for(self.settings.places.lake, self.settings.access)
