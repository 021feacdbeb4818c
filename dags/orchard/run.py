"""One DAG run: what Airflow's context says, turned into what its tasks do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.sdk import PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from orchard.choices import Choices
from orchard.cluster import run_job_flow, run_tags
from orchard.jobs import RunJobs
from orchard.lake import Lake, run_slug
from orchard.publish import Publication, publish
from orchard.sensing import sense
from orchard.settings import Settings
from orchard.steps import build_step
from orchard.storage import storage_for
from orchard_jobs.errors import OrchardError


@dataclass(frozen=True)
class Run:
    """A DAG run and its settings. Everything is computed anew for each task, so that what is mended
    in the settings takes effect when a task is cleared.
    """

    dag_id: str
    run_id: str
    params: Mapping[str, Any]
    ti: Any
    settings: Settings

    @classmethod
    def of_context(cls, context: Mapping[str, Any], settings: Settings) -> Self:
        return cls(context["dag"].dag_id, context["run_id"], context["params"], context["ti"], settings)

    @property
    def slug(self) -> str:
        return run_slug(self.run_id)

    def look_for_images(self) -> PokeReturnValue:
        """Prepare the run if there are new images.

        Raises:
            AirflowFailException: where waiting or trying again cannot help.
        """
        try:
            sensed = sense(self.slug, self._choices(), self.settings)
        except OrchardError as error:
            raise AirflowFailException(str(error)) from None
        return PokeReturnValue(is_done=sensed["new"] > 0, xcom_value=dict(sensed))

    def tags(self) -> dict[str, str]:
        return run_tags(self.dag_id, self.run_id, self.settings)

    def cluster_request(self) -> dict[str, Any]:
        return run_job_flow(self.tags(), self._choices().core_nodes, self.settings)

    def step(self, job: str) -> dict[str, Any]:
        """Return the step of ``featurize``, ``reduce`` or ``export``."""
        jobs = RunJobs(self.slug, self._choices(), self.settings)
        made = {
            "featurize": lambda: jobs.featurize(self._sensed()),
            "reduce": jobs.reduce,
            "export": jobs.export,
        }[job]()
        return build_step(made, self.slug, self.settings.places.code)

    def publish(self) -> dict[str, Any]:
        """Publish the run; return what run.json says.

        Raises:
            AirflowFailException: where the run must not be published.
        """
        lake = Lake(self.settings.places.lake)
        publication = Publication(
            slug=self.slug,
            run_id=self.run_id,
            images=self._choices().images,
            sensed=self._sensed(),
            cluster=self._describe_cluster(),
        )
        try:
            return publish(storage_for(lake.uri, self.settings.nightly.aws_conn_id), lake, publication)
        except OrchardError as error:
            raise AirflowFailException(str(error)) from None

    def _choices(self) -> Choices:
        return Choices.of_run(self.params, self.settings)

    def _sensed(self) -> Mapping[str, Any]:
        sensed: Mapping[str, Any] = self.ti.xcom_pull(task_ids="sense")
        return sensed

    def _describe_cluster(self) -> dict[str, Any]:
        cluster_id = self.ti.xcom_pull(task_ids="create_cluster")
        client = EmrHook(aws_conn_id=self.settings.nightly.aws_conn_id).conn
        cluster = client.describe_cluster(ClusterId=cluster_id)["Cluster"]
        timeline = cluster["Status"].get("Timeline", {})
        return {
            "id": cluster_id,
            "release": cluster.get("ReleaseLabel"),
            "states": self.ti.xcom_pull(task_ids="create_cluster", key="states"),
            "timeline": {name: at.isoformat(timespec="seconds") for name, at in timeline.items()},
        }
