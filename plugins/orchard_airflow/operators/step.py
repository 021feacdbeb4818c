"""Run one step on a run's cluster, wait for it, and log why it failed."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.providers.amazon.aws.operators.emr import EmrAddStepsOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from orchard_airflow.console_links import EmrStepLogsLink, persist_links, persist_step_link
from orchard_airflow.emr_api import (
    ENDED_STATES,
    ENDED_STEP_STATES,
    UNFINISHED_STEP_STATES,
    created_at,
    describe_end,
    describe_failure,
    find_steps,
    runs_driver_in_container,
)
from orchard_airflow.emr_retries import ADAPTIVE_RETRIES, NO_RETRIES, send_once
from orchard_airflow.own_cluster import ForeignClusterError, describe_own
from orchard_airflow.progress import describe_result, read_metrics
from orchard_airflow.step_logs import last_lines
from orchard_airflow.triggers import TIMED_OUT, EmrStepTrigger
from orchard_airflow.waiting import is_stale_event, wait_for

if TYPE_CHECKING:
    from airflow.sdk import Context


class OrchardStepOperator(EmrAddStepsOperator):
    """EmrAddStepsOperator for one step, which is never added twice and never outlives its task.

    The step's name has a suffix that all tries share until the task is cleared. A retry attaches to a step of
    that name that is pending, running or completed, and adds a new one after a failed one. Clearing the task
    changes the suffix: the old step is cancelled if it is unfinished, and the step runs again.

    A cluster that is too old gets no step, and its running step is cancelled. Neither does a cluster of
    another run, whatever ``job_flow_id`` says.

    Args:
        cluster_identity: ``Name`` of the run's cluster, and its tags that identify the run. Templated.
        step_timeout: Maximum seconds from adding the step to its end, whichever try added it; then it is
            cancelled, and the task fails without a retry.
        max_cluster_hours: Maximum age of a cluster, in hours.
        poll_interval: Seconds between polls.
        log_timeout: Maximum seconds to wait for the log of a failed step.
        metrics_uri: URI of the job's metrics, from which progress is logged every 15 seconds and at the end.
            Templated; '' to disable.
        guard: Called with the context first; raises if the step must not run.
    """

    template_fields: Sequence[str] = (
        *EmrAddStepsOperator.template_fields,
        "cluster_identity",
        "metrics_uri",
    )
    # Airflow would read a step argument ending in .json as a file (https://github.com/apache/airflow/issues/10451).
    template_ext: Sequence[str] = ()

    operator_extra_links: Any = (*EmrAddStepsOperator.operator_extra_links, EmrStepLogsLink())

    def __init__(  # noqa: PLR0913 - by their names, as Airflow's operators take them
        self,
        *,
        cluster_identity: Any,
        step_timeout: float,
        max_cluster_hours: float,
        poll_interval: float,
        log_timeout: float,
        metrics_uri: Any = "",
        guard: Callable[[Any], None] = lambda _: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(botocore_config=ADAPTIVE_RETRIES, **kwargs)
        self.cluster_identity = cluster_identity
        self.step_timeout = step_timeout
        self.max_cluster_hours = max_cluster_hours
        self.poll_interval = poll_interval
        self.log_timeout = log_timeout
        self.metrics_uri = metrics_uri
        self.guard = guard
        self._step_id: str | None = None
        self._is_own_cluster = False

    def execute(self, context: "Context") -> Any:
        self.guard(context)
        cluster = self._describe_cluster()
        persist_links(self, context, cluster)
        persist_step_link(self, context, cluster)
        if cluster["Status"]["State"] in ("TERMINATING", *ENDED_STATES):
            raise AirflowFailException(f"No step can run: {describe_end(cluster)}")
        try:
            self._step_id = self._attach_or_add(context, cluster)
            persist_step_link(self, context, cluster, self._step_id)
            trigger = EmrStepTrigger(
                job_flow_id=self.job_flow_id,
                step_id=self._step_id,
                metrics_uri=self.metrics_uri or None,
                until=[*ENDED_STEP_STATES, *ENDED_STATES],
                deadline=min(self._added_at() + self.step_timeout, self._end_of(cluster).timestamp()),
                poll_interval=self.poll_interval,
                hook_parameters=self._hook_parameters,
            )
            context["ti"].xcom_push(key="step_id", value=self._step_id)
            return str(wait_for(self, context, trigger))
        except TaskDeferred:
            raise
        except BaseException:
            self._cancel_unfinished()
            raise

    def complete(
        self, context: "Context", event: dict[str, Any], waited_for: dict[str, str] | None = None
    ) -> str:
        if is_stale_event(event, waited_for):
            return str(self.execute(context))
        # The cluster that the step was added to, even if the XCom has changed.
        self.job_flow_id, self._step_id = event["job_flow_id"], event["step_id"]
        step = self._describe_step()
        if step["Status"]["State"] == "COMPLETED":
            self.log.info("Step %s completed: %s", self._step_id, self._describe_result())
            return str(self._step_id)
        if event["state"] == TIMED_OUT:
            self._cancel_unfinished()
            # A retry would take as long again, on a cluster that costs money.
            raise AirflowFailException(f"Cancelled {self._why_cancelled()}: {self._explain(step)}")
        raise self._failure(step)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context"
    ) -> Any:
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except BaseException:
            if self._step_id is None:
                # A trigger that failed or timed out does not return its step id.
                self._cancel_unfinished()
            raise

    def on_kill(self) -> None:
        self._cancel_unfinished()

    def _attach_or_add(self, context: "Context", cluster: Mapping[str, Any]) -> str:
        named = {**self._step, "Name": f"{self._step['Name']} #{_tries_before_clearing(context)}"}
        earlier = self._find_named()
        self._cancel(_list_unfinished(other for other in earlier if other["Name"] != named["Name"]))
        if found := _find_reusable(earlier, named["Name"]):
            return found
        if runs_driver_in_container(named["HadoopJarStep"]["Args"]) and (left := _list_cancelled(earlier)):
            raise AirflowFailException(
                f"Not adding a step: the driver of the cancelled {', '.join(left)} may still run in its "
                "container and write to the same files. Terminate the cluster, then clear the task that "
                "creates it"
            )
        if self._is_too_old(cluster):
            raise AirflowFailException(f"Not adding a step: {self._describe_too_old(cluster)}")
        return self._add(named)

    def _find_named(self) -> list[dict[str, Any]]:
        return find_steps(self.hook.conn, str(self.job_flow_id), f"{self._step['Name']} #")

    @property
    def _step(self) -> dict[str, Any]:
        steps: Any = self.steps
        (step,) = steps
        return dict(step)

    def _add(self, step: dict[str, Any]) -> str:
        client = EmrHook(**{**self._hook_parameters, "config": NO_RETRIES}).conn

        def send() -> str:
            (added,) = client.add_job_flow_steps(JobFlowId=self.job_flow_id, Steps=[step])["StepIds"]
            return str(added)

        def find() -> str | None:
            return _find_reusable(self._find_named(), step["Name"])

        added = send_once(send, find)
        self.log.info("Added step %s (%s)", added, step["Name"])
        return added

    def _added_at(self) -> float:
        """Seconds since the epoch: an earlier try may have added the step."""
        status = self._describe_step()["Status"]
        return float(status["Timeline"]["CreationDateTime"].timestamp())

    def _end_of(self, cluster: Mapping[str, Any]) -> datetime:
        return created_at(cluster) + timedelta(hours=self.max_cluster_hours)

    def _is_too_old(self, cluster: Mapping[str, Any]) -> bool:
        return datetime.now(UTC) >= self._end_of(cluster)

    def _describe_too_old(self, cluster: Mapping[str, Any]) -> str:
        return (
            f"cluster {cluster['Id']} is older than ORCHARD_MAX_CLUSTER_HOURS={self.max_cluster_hours:g}. "
            "When it has terminated, clear the task, which creates a new cluster"
        )

    def _why_cancelled(self) -> str:
        cluster = self._describe_cluster()
        if self._is_too_old(cluster):
            return f"because {self._describe_too_old(cluster)}"
        return f"after {self.step_timeout:.0f} s"

    def _describe_step(self) -> dict[str, Any]:
        client = self.hook.conn
        step: dict[str, Any] = client.describe_step(ClusterId=self.job_flow_id, StepId=self._step_id)["Step"]
        return step

    def _describe_result(self) -> str:
        hook = {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}
        metrics = asyncio.run(read_metrics(self.metrics_uri, hook)) if self.metrics_uri else {}
        return describe_result(metrics) or "its job wrote no metrics"

    def _failure(self, step: dict[str, Any]) -> AirflowException:
        cluster = self._describe_cluster()
        explained = self._explain(step)
        if cluster["Status"]["State"] in ("TERMINATING", *ENDED_STATES):
            # A retry would find the same terminated cluster; clearing the task creates a new one.
            return AirflowFailException(f"{describe_end(cluster)}\n{explained}")
        return AirflowException(explained)

    def _explain(self, step: dict[str, Any]) -> str:
        log_uri = self._describe_cluster().get("LogUri")
        hook = {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}
        lines = last_lines(log_uri, str(self.job_flow_id), step, timeout=self.log_timeout, hook=hook)
        return f"{describe_failure(step)}\n{lines}"

    def _describe_cluster(self) -> dict[str, Any]:
        try:
            cluster = describe_own(self.hook.conn, str(self.job_flow_id), self.cluster_identity)
        except ForeignClusterError as error:
            raise AirflowFailException(str(error)) from None
        self._is_own_cluster = True
        return cluster

    def _cancel_unfinished(self) -> None:
        """Cancel the step, by its name if its id is unknown because EMR's response was lost."""
        try:
            if not self._is_own_cluster:
                self._describe_cluster()
            self._cancel([self._step_id] if self._step_id else _list_unfinished(self._find_named()))
        except Exception:
            # Do not hide the original error; terminating the cluster ends the step as well.
            self.log.exception("Could not cancel the step %s", self._step_id or self._step["Name"])

    def _cancel(self, step_ids: list[str]) -> None:
        if step_ids:
            self.log.info("Cancelling %s", ", ".join(step_ids))
            self.hook.conn.cancel_steps(
                ClusterId=self.job_flow_id, StepIds=step_ids, StepCancellationOption="TERMINATE_PROCESS"
            )


def _tries_before_clearing(context: "Context") -> int:
    """Return the number of tries before the task was last cleared, which grants it new retries."""
    ti: Any = context["ti"]
    return int(ti.max_tries - ti.task.retries)


def _find_reusable(steps: Iterable[Mapping[str, Any]], name: str) -> str | None:
    """Return the id of the newest step with exactly this name, if it is pending, running or completed.

    Args:
        steps: ListSteps' steps, newest first.
    """
    newest = next((step for step in steps if step["Name"] == name), None)
    if newest and _state(newest) in ("PENDING", "RUNNING", "COMPLETED"):
        return str(newest["Id"])
    return None


def _list_unfinished(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of steps that have not ended."""
    return [step["Id"] for step in steps if _state(step) in UNFINISHED_STEP_STATES]


def _list_cancelled(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of steps that neither completed nor failed."""
    return [step["Id"] for step in steps if _state(step) not in ("COMPLETED", "FAILED")]


def _state(step: Mapping[str, Any]) -> str:
    return str(step["Status"]["State"])
