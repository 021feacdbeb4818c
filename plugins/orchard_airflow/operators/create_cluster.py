"""Create a run's cluster, or attach to it if it exists."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from orchard_airflow.console_links import persist_links
from orchard_airflow.emr_api import (
    ENDED_STATES,
    LIVE_STATES,
    READY_STATES,
    ClusterGroup,
    describe,
    describe_end,
    facts_of,
    find_clusters,
    is_local,
    live_clusters,
)
from orchard_airflow.emr_retries import ADAPTIVE_RETRIES, NO_RETRIES, is_unanswered, send_once
from orchard_airflow.triggers import EmrClusterStartTrigger
from orchard_airflow.waiting import deadline_in, is_stale_event, wait_for

if TYPE_CHECKING:
    from airflow.sdk import Context

SEARCH_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between searches for a cluster that may have been created, or could not be terminated."""


class OrchardCreateClusterOperator(EmrCreateJobFlowOperator):
    """EmrCreateJobFlowOperator that creates one cluster per run, whatever happens to the task.

    - RunJobFlow has no client token, so it attaches to a live cluster with the same name and ``run_tags``.
    - It pushes ``job_flow_id`` before anything else can fail.
    - Any failure, and killing the task, terminates the run's clusters, because Airflow does not run the
      teardown of a failed setup. After SIGKILL, EMR terminates the cluster when it is idle.
    - It creates no cluster while ``group`` is at its limit. Concurrent runs may not see each other's cluster,
      so n of them can exceed the limit by up to n - 1.
    - It waits until the cluster accepts steps; the provider's waiter counts TERMINATED as success.

    Args:
        run_tags: Tags that identify the run's cluster; part of ``job_flow_overrides``. Templated.
        group: The clusters that count towards the limit.
        start_timeout: Maximum seconds for the cluster to start.
        poll_interval: Seconds between polls.
        guard: Called with the context first; raises if no cluster must be created.
    """

    template_fields: Sequence[str] = (*EmrCreateJobFlowOperator.template_fields, "run_tags")
    # Airflow would read a string ending in .json as a file (https://github.com/apache/airflow/issues/10451).
    template_ext: Sequence[str] = ()

    def __init__(
        self,
        *,
        run_tags: Any,
        group: ClusterGroup,
        start_timeout: float,
        poll_interval: float,
        guard: Callable[[Any], None] = lambda _: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(emr_conn_id=None, botocore_config=ADAPTIVE_RETRIES, **kwargs)
        self.run_tags = run_tags
        self.group = group
        self.start_timeout = start_timeout
        self.poll_interval = poll_interval
        self.guard = guard
        self._job_flow_id: str | None = None
        self._is_requesting = False
        self._was_killed = False
        self._may_have_created = False

    def execute(self, context: "Context") -> str:
        with self._leaving_nothing():
            self.guard(context)
            self._job_flow_id = self._find() or self._create()
            context["ti"].xcom_push(key="job_flow_id", value=self._job_flow_id)
            persist_links(self, context, self._describe())
            trigger = EmrClusterStartTrigger(
                job_flow_id=self._job_flow_id,
                until=[*READY_STATES, "TERMINATING", *ENDED_STATES],
                deadline=deadline_in(self.start_timeout),
                poll_interval=self.poll_interval,
                hook_parameters=self._hook_parameters,
            )
            return str(wait_for(self, context, trigger))

    def complete(
        self, context: "Context", event: dict[str, Any], waited_for: dict[str, str] | None = None
    ) -> str:
        if is_stale_event(event, waited_for):
            return self.execute(context)
        self._job_flow_id = event["job_flow_id"]
        cluster = self._describe()
        facts = {**facts_of(cluster), "states": event["seen"], "local": is_local(self.hook.conn)}
        context["ti"].xcom_push(key="cluster", value=facts)
        if cluster["Status"]["State"] not in READY_STATES:
            raise AirflowException(self._explain(cluster))
        self.log.info("Cluster %s is ready", self._job_flow_id)
        return str(self._job_flow_id)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context"
    ) -> Any:
        with self._leaving_nothing():
            return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        self._was_killed = True
        # This runs in a signal handler, possibly during a request, whose response is then checked on arrival.
        if not self._is_requesting:
            self._end_clusters()

    @contextmanager
    def _leaving_nothing(self) -> Iterator[None]:
        try:
            yield
        except TaskDeferred:
            raise
        except BaseException:
            self._end_clusters()
            raise

    def _find(self) -> str | None:
        found = next(self._search(self.hook.conn), None)
        if found:
            self.log.info("Attaching to cluster %s, which has this run's tags", found)
        return found

    def _search(self, client: Any) -> Iterator[str]:
        request: Any = self.job_flow_overrides
        return find_clusters(client, request["Name"], self.run_tags, LIVE_STATES)

    def _create(self) -> str:
        self._validate_cluster_count()
        created = send_once(self._request_cluster, self._find)
        self._may_have_created = False
        return created

    def _validate_cluster_count(self) -> None:
        alive = live_clusters(self.hook.conn, self.group)
        if len(alive) >= self.group.most:
            named = ", ".join(f"{cluster['Id']} ({cluster['Name']})" for cluster in alive)
            raise AirflowFailException(
                f"{len(alive)} live clusters of this lake: {named}: the limit is "
                f"ORCHARD_MAX_CLUSTERS={self.group.most}. Terminate unneeded ones, or raise the limit, then "
                "clear this task"
            )

    def _request_cluster(self) -> str:
        request: Any = self.job_flow_overrides
        client = EmrHook(**{**self._hook_parameters, "config": NO_RETRIES}).conn
        self._raise_if_killed()
        self._is_requesting = True
        try:
            self._job_flow_id = str(client.run_job_flow(**request)["JobFlowId"])
        except BaseException as error:
            self._may_have_created = self._may_have_created or is_unanswered(error)
            raise
        finally:
            self._is_requesting = False
        self._raise_if_killed()
        self.log.info("Created cluster %s", self._job_flow_id)
        return self._job_flow_id

    def _raise_if_killed(self) -> None:
        if self._was_killed:
            raise AirflowException("The task was killed while it was creating a cluster")

    def _describe(self) -> dict[str, Any]:
        return describe(self.hook.conn, str(self._job_flow_id))

    def _explain(self, cluster: Mapping[str, Any]) -> str:
        if cluster["Status"]["State"] in LIVE_STATES:
            return f"Not started within {self.start_timeout:.0f} s: {describe_end(cluster)}"
        return f"Could not start: {describe_end(cluster)}"

    def _end_clusters(self) -> None:
        """Terminate the run's clusters; search again if one may not be listed yet, or a request failed."""
        for pause in SEARCH_PAUSES:
            if self._try_to_end_clusters():
                return
            time.sleep(pause)
        if not self._try_to_end_clusters():
            self.log.error(
                "A cluster of this run may be alive: check the EMR console. EMR terminates idle clusters"
            )

    def _try_to_end_clusters(self) -> bool:
        """Whether, according to EMR, no cluster is left."""
        # A separate client: a signal may have interrupted the other one.
        client = EmrHook(**self._hook_parameters).conn
        known = [self._job_flow_id] if self._job_flow_id else []
        try:
            # The known cluster first, in case the search fails.
            ended = [*self._terminate(client, known), *self._terminate(client, [*self._search(client)])]
        except Exception:
            # Do not hide the original error.
            self.log.exception("Could not make sure that no cluster of this run is alive")
            return False
        return bool(ended) or not self._may_have_created

    def _terminate(self, client: Any, cluster_ids: list[str]) -> list[str]:
        if cluster_ids:
            self.log.info("Terminating %s", ", ".join(cluster_ids))
            client.terminate_job_flows(JobFlowIds=cluster_ids)
        return cluster_ids
