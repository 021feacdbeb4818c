"""The clusters of a canary: created once each, watched, and terminated, even if an answer was lost."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from orchard.emr.job_flow import cluster_name
from orchard_airflow.emr_api import ENDED_STATES, LIVE_STATES, describe, find_clusters
from orchard_airflow.emr_retries import ADAPTIVE_RETRIES, NO_RETRIES, send_once

LISTED = (*LIVE_STATES, "TERMINATING", *ENDED_STATES)
NOT_ENDED = (*LIVE_STATES, "TERMINATING")

SEARCH_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each search for a cluster of unknown id: ListClusters may not show it immediately."""

Seen = list[tuple[str, datetime]]
"""The states of a cluster, with the time each was first seen."""


@dataclass
class Clusters:
    """EMR, for one canary.

    Args:
        client: EMR client whose requests botocore retries.
        sender: EMR client that never retries.
        poll: Polling interval, in seconds.
        requested: Tags of the clusters that were requested.
    """

    client: Any
    sender: Any
    poll: float
    requested: list[dict[str, str]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    """Cluster ids by cluster name."""

    @classmethod
    def of_region(cls, region: str | None, poll: float) -> "Clusters":
        session = boto3.session.Session(region_name=region)
        return cls(
            session.client("emr", config=Config(**ADAPTIVE_RETRIES)),
            session.client("emr", config=Config(**NO_RETRIES)),
            poll,
        )

    def create(self, request: dict[str, Any], tags: dict[str, str]) -> str:
        """Create a cluster, once even if the answer is lost; return its id."""
        self.requested.append(tags)

        def send() -> str:
            return str(self.sender.run_job_flow(**request)["JobFlowId"])

        cluster_id = send_once(send, lambda: next(self.find(tags, LIVE_STATES), None))
        self.known[cluster_name(tags)] = cluster_id
        return cluster_id

    def find(self, tags: dict[str, str], states: tuple[str, ...] = LISTED) -> Any:
        """Yield the ids of the clusters with these tags, newest first."""
        return find_clusters(self.client, cluster_name(tags), tags, states)

    def watch(
        self, cluster_id: str, until: Collection[str], timeout: float, tell: Callable[[str], None]
    ) -> tuple[dict[str, Any], Seen]:
        """Poll a cluster until it is in one of the states, has ended, or the timeout is over.

        Returns:
            The cluster as DescribeCluster returns it, and its states so far.
        """
        deadline, seen = time.monotonic() + timeout, Seen()
        while True:
            cluster = describe(self.client, cluster_id)
            state = cluster["Status"]["State"]
            if not seen or seen[-1][0] != state:
                seen.append((state, datetime.now(UTC)))
                tell(f"{cluster_id} is {state}")
            if state in (*until, *ENDED_STATES) or time.monotonic() > deadline:
                return cluster, seen
            time.sleep(self.poll)

    def run_step(self, cluster_id: str, step: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Add a step and wait for its end; return the step, which is still running after a timeout."""
        added = self.client.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])["StepIds"][0]
        deadline = time.monotonic() + timeout
        while True:
            found: dict[str, Any] = self.client.describe_step(ClusterId=cluster_id, StepId=added)["Step"]
            has_ended = found["Status"]["State"] not in ("PENDING", "RUNNING", "CANCEL_PENDING")
            if has_ended or time.monotonic() > deadline:
                return found
            time.sleep(self.poll)

    def terminate(self, cluster_id: str) -> None:
        self.client.terminate_job_flows(JobFlowIds=[cluster_id])

    def end_all(self, timeout: float, tell: Callable[[str], None]) -> list[str]:
        """Terminate every requested cluster and wait for its end; return the ids of all that existed."""
        ids: list[str] = []
        for tags in self.requested:
            found = self._find_patiently(tags)
            live = [one for one in found if describe(self.client, one)["Status"]["State"] in LIVE_STATES]
            for cluster_id in live:
                tell(f"Terminating {cluster_id}")
                self.terminate(cluster_id)
            ids += found
        for cluster_id in ids:
            self.watch(cluster_id, ENDED_STATES, timeout, tell)
        return ids

    def list_left(self) -> list[str]:
        """Return the ids of the clusters that have not ended, found by their tags alone."""
        return [one for tags in self.requested for one in self.find(tags, NOT_ENDED)]

    def _find_patiently(self, tags: dict[str, str]) -> list[str]:
        known = self.known.get(cluster_name(tags))
        for pause in SEARCH_PAUSES:
            time.sleep(pause)
            found = {*self.find(tags), *([known] if known else [])}
            if found:
                break
        return sorted(found)
