"""End every cluster of a run, and wait until it has ended."""

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
    """EmrTerminateJobFlowOperator that asks EMR, not XCom alone, for the clusters of its run.

    The id that XCom names is the second source, because tags can be edited while a cluster lives; names
    cannot, so by its name it must be the run's, or it is left alone, and the task fails in the end.

    Any end is a success: whether the work succeeded is for the other tasks to say. Synchronously the
    provider's operator does not wait, and deferred it fails on TERMINATED_WITH_ERRORS.

    Args:
        cluster_identity: ``Name`` of the run's clusters, and tags that no other run's have. Templated.
        terminate_timeout: Longest wait for the end, in seconds.
        poll_interval: Seconds between two looks.
        ended: Called with the context once none of them is alive. Where it fails, the log says so.
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
                f"Not ended within {self.terminate_timeout:.0f} s: {describe_end(cluster)}"
            )
        self.log.info("Ended: %s", describe_end(cluster))
        return self.execute(context)  # until none of them is alive

    def _call_ended(self, context: "Context") -> None:
        try:
            self.ended(context)
        except Exception:
            # The clusters have ended, which is what the task is for.
            self.log.exception("What was to be done after the end of the cluster has failed")

    def _terminate_known(self) -> str | None:
        """First of all: a search that fails must not keep the cluster alive. Return why it is left alone."""
        if not self.job_flow_id:
            return None
        try:
            self._describe_known()
            self.hook.conn.terminate_job_flows(JobFlowIds=[self.job_flow_id])
        except ForeignClusterError as error:
            return str(error)
        except (ClientError, BotoCoreError) as error:
            self.log.warning("%s: %s; trying again if it is alive", self.job_flow_id, error)
        return None

    def _find_alive(self) -> list[str]:
        states = (*LIVE_STATES, "TERMINATING")
        tags = dict(self.cluster_identity)
        name = tags.pop("Name")
        # What XCom names comes last: where it cannot be described, those that were found end all the same.
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
