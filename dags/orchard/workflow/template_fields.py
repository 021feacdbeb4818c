"""What Airflow renders the templated fields of the DAG's operators with: functions of a task's context."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks

CLUSTER_ID = "{{ ti.xcom_pull(task_ids='create_cluster', key='job_flow_id') or '' }}"
"""The XCom that is pushed as soon as there is a cluster, whatever becomes of its creation."""


@dataclass(frozen=True)
class TemplateFields:
    """One function per field; each asks the ``RunTasks`` of its context."""

    settings: Settings

    def tasks(self, context: Any) -> RunTasks:
        return RunTasks.from_context(context, self.settings)

    def cluster(self, context: Any, **_: Any) -> dict[str, Any]:
        return self.tasks(context).cluster_request()

    def tags(self, context: Any, **_: Any) -> dict[str, str]:
        return self.tasks(context).tags()

    def cluster_identity(self, context: Any, **_: Any) -> dict[str, str]:
        return {"Name": self.tasks(context).cluster_name(), **self.tasks(context).tags()}

    def steps(self, job: str) -> Callable[..., list[dict[str, Any]]]:
        return lambda context, **_: [self.tasks(context).step(job)]

    def metrics_uri(self, job: str) -> Callable[..., str]:
        return lambda context, **_: self.tasks(context).metrics_uri(job)

    def bill(self, context: Any) -> None:
        """Called once the run's clusters have ended."""
        self.tasks(context).bill()

    def guard(self, context: Any) -> None:
        """Called before anything else by what a published run must not do again."""
        self.tasks(context).validate_unpublished()
