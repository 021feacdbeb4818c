"""Terminate every cluster of a run, and wait until it has terminated."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.emr import EmrTerminateJobFlowOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import BotoCoreError, ClientError

from orchard_airflow.console_links import persist_links
from orchard_airflow.emr_api import (
    ENDED_STATES,
    LIVE_STATES,
    describe,
    describe_end,
    find_clusters,
)
from orchard_airflow.emr_retries import ADAPTIVE_RETRIES
from orchard_airflow.own_cluster import ForeignClusterError, describe_own
from orchard_airflow.triggers import EmrClusterEndTrigger
from orchard_airflow.waiting import deadline_in, is_stale_event, wait_for

if TYPE_CHECKING:
    from airflow.sdk import Context


class OrchardTerminateClusterOperator(EmrTerminateJobFlowOperator):
    """EmrTerminateJobFlowOperator that finds the run's clusters through EMR, not only by XCom.

    The XCom is a second source, because tags of a live cluster can be edited. Names cannot: a cluster id in
    the XCom must have the run's name, or it is not terminated, and the task fails in the end.

    Any final state is a success: the other tasks report whether the work succeeded. The provider's operator
    does not wait when synchronous, and fails on TERMINATED_WITH_ERRORS when deferred.

    Args:
        cluster_identity: ``Name`` of the run's clusters, and their tags that identify the run. Templated.
        terminate_timeout: Maximum seconds to wait for termination.
        poll_interval: Seconds between polls.
        ended: Called with the context when none of them is alive. A failure in it is only logged.
    """

    template_fields: Sequence[str] = (*EmrTerminateJobFlowOperator.template_fields, "cluster_identity")

    def __init__(
        self,
        *,
        cluster_identity: Any,
        terminate_timeout: float,
        poll_interval: float,
        ended: Callable[[Any], None] = lambda _: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(botocore_config=ADAPTIVE_RETRIES, **kwargs)
        self.cluster_identity = cluster_identity
        self.terminate_timeout = terminate_timeout
        self.poll_interval = poll_interval
        self.ended = ended

    def execute(self, context: "Context") -> None:
        foreign = self._terminate_known()
        alive = self._find_alive()
        if not alive:
            self.log.info("No cluster of this run is alive")
            self._call_ended(context)
            if foreign:
                raise AirflowFailException(foreign)
            return
        self.log.info("Terminating %s", ", ".join(alive))
        self.hook.conn.terminate_job_flows(JobFlowIds=alive)
        persist_links(self, context, describe(self.hook.conn, alive[0]))
        trigger = EmrClusterEndTrigger(
            job_flow_id=alive[0],
            until=ENDED_STATES,
            deadline=deadline_in(self.terminate_timeout),
            poll_interval=self.poll_interval,
            hook_parameters=self._hook_parameters,
        )
        wait_for(self, context, trigger)

    def complete(
        self, context: "Context", event: dict[str, Any], waited_for: dict[str, str] | None = None
    ) -> None:
        if is_stale_event(event, waited_for):
            return self.execute(context)
        cluster = describe(self.hook.conn, event["job_flow_id"])
        if cluster["Status"]["State"] not in ENDED_STATES:
            raise AirflowException(
                f"Not terminated within {self.terminate_timeout:.0f} s: {describe_end(cluster)}"
            )
        self.log.info("Terminated: %s", describe_end(cluster))
        return self.execute(context)  # until none of them is alive

    def _call_ended(self, context: "Context") -> None:
        try:
            self.ended(context)
        except Exception:
            # The clusters have terminated, which is the task's purpose.
            self.log.exception("The callback after the termination of the clusters failed")

    def _terminate_known(self) -> str | None:
        """Terminate the XCom's cluster first, in case the search fails. Return why it was not terminated."""
        if not self.job_flow_id:
            return None
        try:
            self._describe_known()
            self.hook.conn.terminate_job_flows(JobFlowIds=[self.job_flow_id])
        except ForeignClusterError as error:
            return str(error)
        except (ClientError, BotoCoreError) as error:
            self.log.warning("%s: %s; trying again if it is still alive", self.job_flow_id, error)
        return None

    def _find_alive(self) -> list[str]:
        states = (*LIVE_STATES, "TERMINATING")
        tags = dict(self.cluster_identity)
        name = tags.pop("Name")
        # The XCom's cluster comes last: if it cannot be described, those found by tag terminate anyway.
        return list(find_clusters(self.hook.conn, name, tags, states)) or self._find_known_alive()

    def _find_known_alive(self) -> list[str]:
        if not self.job_flow_id:
            return []
        try:
            is_alive = self._describe_known()["Status"]["State"] not in ENDED_STATES
        except ForeignClusterError:
            return []
        return [self.job_flow_id] if is_alive else []

    def _describe_known(self) -> dict[str, Any]:
        return describe_own(self.hook.conn, self.job_flow_id, {"Name": self.cluster_identity["Name"]})
