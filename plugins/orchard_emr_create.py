"""Create the cluster of a run, or attach to it if it is already there."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator
from airflow.sdk.exceptions import AirflowException, TaskDeferred
from botocore.exceptions import BotoCoreError, ClientError

from orchard_emr_api import ENDED_STATES, LIVE_STATES, READY_STATES, describe_end, find_clusters
from orchard_emr_triggers import EmrClusterStartTrigger
from orchard_emr_waiting import ONCE, PATIENT, deadline_in, persist_links, wait_for

if TYPE_CHECKING:
    from airflow.sdk import Context


class OrchardCreateClusterOperator(EmrCreateJobFlowOperator):
    """EmrCreateJobFlowOperator that creates one cluster per run, whatever happens to the task.

    - RunJobFlow has no client token: a live cluster with all of ``run_tags`` is attached to instead.
    - ``job_flow_id`` is pushed before anything else can fail.
    - Any failure after that, of whatever kind, ends the cluster, as does killing the task.
    - It waits until the cluster can take steps; the provider's waiter counts TERMINATED as success.

    Args:
        run_tags: Tags that no other run's cluster has; part of ``job_flow_overrides``. Templated.
        start_timeout: Longest wait for the cluster to start, in seconds.
        poll_interval: Seconds between two looks at it.
    """

    template_fields: Sequence[str] = (*EmrCreateJobFlowOperator.template_fields, "run_tags")
    # A string ending in .json would be taken for a file (https://github.com/apache/airflow/issues/10451).
    template_ext: Sequence[str] = ()

    def __init__(self, *, run_tags: Any, start_timeout: float, poll_interval: float, **kwargs: Any) -> None:
        super().__init__(emr_conn_id=None, botocore_config=PATIENT, **kwargs)
        self.run_tags = run_tags
        self.start_timeout = start_timeout
        self.poll_interval = poll_interval
        self._job_flow_id: str | None = None

    def execute(self, context: "Context") -> str:
        try:
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
            return str(wait_for(self, context, trigger, "execute_complete"))
        except TaskDeferred:
            raise
        except BaseException:
            self._terminate()
            raise

    def execute_complete(self, context: "Context", event: dict[str, Any] | None = None) -> str:
        event = event or {}
        self._job_flow_id = event["job_flow_id"]
        context["ti"].xcom_push(key="states", value=event["seen"])
        cluster = self._describe()
        if cluster["Status"]["State"] not in READY_STATES:
            raise AirflowException(self._explain(cluster))
        self.log.info("Cluster %s is ready", self._job_flow_id)
        return str(self._job_flow_id)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context"
    ) -> Any:
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except BaseException:
            # A trigger that failed or was given up has told nobody which cluster it waited for.
            self._job_flow_id = self._job_flow_id or self._find()
            self._terminate()
            raise

    def on_kill(self) -> None:
        self._terminate()

    def _find(self) -> str | None:
        found = next(find_clusters(self.hook.conn, self.run_tags, LIVE_STATES), None)
        if found:
            self.log.info("Attaching to cluster %s, which has this run's tags", found)
        return found

    def _create(self) -> str:
        once = EmrHook(**{**self._hook_parameters, "config": ONCE})
        try:
            request: Any = self.job_flow_overrides
            created = str(once.conn.run_job_flow(**request)["JobFlowId"])
        except (ClientError, BotoCoreError):
            # The answer may be lost after the request took effect.
            found = self._find()
            if found is None:
                raise
            return found
        self.log.info("Created cluster %s", created)
        return created

    def _describe(self) -> dict[str, Any]:
        cluster: dict[str, Any] = self.hook.conn.describe_cluster(ClusterId=self._job_flow_id)["Cluster"]
        return cluster

    def _explain(self, cluster: Mapping[str, Any]) -> str:
        if cluster["Status"]["State"] in LIVE_STATES:
            return f"Not started within {self.start_timeout:.0f} s: {describe_end(cluster)}"
        return f"Could not start: {describe_end(cluster)}"

    def _terminate(self) -> None:
        if self._job_flow_id is None:
            return
        self.log.info("Terminating cluster %s", self._job_flow_id)
        try:
            self.hook.conn.terminate_job_flows(JobFlowIds=[self._job_flow_id])
        except Exception:
            # Must not hide why it is terminated; idle auto-termination and the sweeper remain.
            self.log.exception("Could not terminate cluster %s", self._job_flow_id)
