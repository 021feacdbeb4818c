"""Triggers that wait for EMR states, with their own deadline.

The provider's triggers have no ``on_kill``, fail when a request fails, and count attempts instead of time.
Airflow (3.3) does not apply ``execution_timeout`` to a deferred task
(``airflow.sdk.execution_time.task_runner``), so the deadline is part of the trigger.

Events only contain the last state: the operator queries EMR again and interprets it.
"""

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.triggers.base import BaseTrigger, TriggerEvent
from botocore.exceptions import BotoCoreError, ClientError

from orchard_airflow.emr_api import ENDED_STATES, ENDED_STEP_STATES
from orchard_airflow.emr_retries import is_lasting
from orchard_airflow.progress import describe_progress, read_metrics

TIMED_OUT = "TIMED_OUT"

TELL_INTERVAL = 15.0
"""Seconds between two progress lines in the log."""


class EmrStateTrigger(BaseTrigger):
    """Poll a state until it is one of ``until``, or the deadline has passed.

    Args:
        job_flow_id: The cluster.
        until: States to end with.
        deadline: Seconds since the epoch, so that a restarted triggerer does not start over.
        poll_interval: Seconds before each request.
        hook_parameters: Arguments of EmrHook: connection, region, botocore's configuration.
    """

    def __init__(
        self,
        *,
        job_flow_id: str,
        until: Collection[str],
        deadline: float,
        poll_interval: float,
        hook_parameters: dict[str, Any],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_flow_id = job_flow_id
        self.until = list(until)
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.hook_parameters = hook_parameters

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("job_flow_id", "until", "deadline", "poll_interval", "hook_parameters")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        progress = asyncio.create_task(self._log_progress())
        try:
            state, seen = await self._wait()
        finally:
            progress.cancel()
        yield TriggerEvent({"state": state, "seen": seen, **self.ids})

    async def _wait(self) -> tuple[str | None, list[dict[str, str]]]:
        """Return the final state, and all states seen, with their times."""
        seen: list[dict[str, str]] = []
        async with await EmrHook(**self.hook_parameters).get_async_conn() as client:
            # The full interval, even past the deadline: Airflow (3.3) fails a task whose trigger fires before
            # the scheduler has seen the end of the process that deferred it
            # (https://github.com/apache/airflow/issues/72716).
            await asyncio.sleep(self.poll_interval)
            while True:
                state = await self._ask(client)
                if state is not None and (not seen or seen[-1]["state"] != state):
                    seen.append({"state": state, "at": datetime.now(UTC).isoformat(timespec="seconds")})
                    self.log.info("%s: %s", self._subject, state)
                if state in self.until:
                    return state, seen
                if time.time() >= self.deadline:
                    return TIMED_OUT, seen
                await asyncio.sleep(min(self.poll_interval, max(0.0, self.deadline - time.time())))

    async def _log_progress(self) -> None:
        """Log progress while waiting. Errors are ignored."""

    @property
    def ids(self) -> dict[str, str]:
        """The ids of the resource that the trigger waits for, as the event has them."""
        return {"job_flow_id": self.job_flow_id}

    @property
    @abstractmethod
    def _subject(self) -> str:
        """The resource's name in the log."""

    @abstractmethod
    async def _state(self, client: Any) -> str:
        """Return the current state."""

    async def _ask(self, client: Any) -> str | None:
        try:
            return await self._state(client)
        except ClientError as error:
            if is_lasting(error):
                raise
            self.log.warning("%s: %s; asking again", self._subject, error)
        except (BotoCoreError, OSError) as error:
            self.log.warning("%s: %s; asking again", self._subject, error)
        return None


class EmrClusterEndTrigger(EmrStateTrigger):
    """Wait for a cluster's state. Killing the task does not affect the cluster."""

    @property
    def _subject(self) -> str:
        return f"cluster {self.job_flow_id}"

    async def _state(self, client: Any) -> str:
        response = await client.describe_cluster(ClusterId=self.job_flow_id)
        return str(response["Cluster"]["Status"]["State"])


class EmrClusterStartTrigger(EmrClusterEndTrigger):
    """Wait for a cluster to start or fail. Killing the task terminates the cluster."""

    async def on_kill(self) -> None:
        async with await EmrHook(**self.hook_parameters).get_async_conn() as client:
            await client.terminate_job_flows(JobFlowIds=[self.job_flow_id])
        self.log.info("%s: terminating, because its task was killed", self._subject)


class EmrStepTrigger(EmrStateTrigger):
    """Wait for the end of a step. Killing the task cancels the step.

    Also ends when the cluster has terminated: EMR may leave its steps PENDING for a while.

    Args:
        step_id: The step.
        metrics_uri: URI of its job's metrics, from which progress is logged; None to disable.
    """

    def __init__(self, *, step_id: str, metrics_uri: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step_id = step_id
        self.metrics_uri = metrics_uri

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path, arguments = super().serialize()
        return path, {**arguments, "step_id": self.step_id, "metrics_uri": self.metrics_uri}

    async def _log_progress(self) -> None:
        hook = {name: self.hook_parameters.get(name) for name in ("aws_conn_id", "region_name")}
        logged = None
        while self.metrics_uri:
            await asyncio.sleep(TELL_INTERVAL)
            now = describe_progress(await read_metrics(self.metrics_uri, hook))
            if now and now != logged:
                self.log.info("%s", now)
                logged = now

    async def on_kill(self) -> None:
        async with await EmrHook(**self.hook_parameters).get_async_conn() as client:
            await client.cancel_steps(
                ClusterId=self.job_flow_id,
                StepIds=[self.step_id],
                StepCancellationOption="TERMINATE_PROCESS",
            )
        self.log.info("%s: cancelling, because its task was killed", self._subject)

    @property
    def _subject(self) -> str:
        return f"step {self.step_id} on cluster {self.job_flow_id}"

    @property
    def ids(self) -> dict[str, str]:
        return {"job_flow_id": self.job_flow_id, "step_id": self.step_id}

    async def _state(self, client: Any) -> str:
        response = await client.describe_step(ClusterId=self.job_flow_id, StepId=self.step_id)
        state = str(response["Step"]["Status"]["State"])
        if state in ENDED_STEP_STATES:
            return state
        cluster = await client.describe_cluster(ClusterId=self.job_flow_id)
        return str(cluster["Cluster"]["Status"]["State"]) if _has_ended(cluster) else state


def _has_ended(response: dict[str, Any]) -> bool:
    return response["Cluster"]["Status"]["State"] in ENDED_STATES
