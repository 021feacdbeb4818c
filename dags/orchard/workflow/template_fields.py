"""Callables that render the operators' template fields from a task's context."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks

CLUSTER_ID = "{{ ti.xcom_pull(task_ids='create_cluster', key='job_flow_id') or '' }}"
"""The XCom that is pushed as soon as the cluster exists, even if it fails to start."""


@dataclass(frozen=True)
class TemplateFields:
    """One method per template field; each delegates to the ``RunTasks`` of its context."""

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
        """Called when the run's clusters have terminated."""
        self.tasks(context).bill()

    def guard(self, context: Any) -> None:
        """Called first by tasks that must not run again once the run is published."""
        self.tasks(context).validate_unpublished()
