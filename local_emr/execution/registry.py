"""All clusters of the server, live and ended. They are kept in memory only."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from local_emr.clusters.cluster import ENDING, Cluster, Ending
from local_emr.errors import InvalidRequestError, ValidationError
from local_emr.execution.guard import Guard
from local_emr.execution.lifecycle import Lifecycle
from local_emr.faults import Fault

_MAX_JOB_FLOW_IDS = 10
_CLOSE_SECONDS = 30.0


class ClusterRegistry:
    """Clusters by id, in the order of their creation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clusters: dict[str, Cluster] = {}
        self._lives: dict[str, Lifecycle] = {}
        self._guard = Guard()
        self._closed = False

    def create(self, cluster: Cluster, no_capacity: Fault | None) -> None:
        """Add a cluster and start its lifecycle."""
        life = Lifecycle(cluster, self._guard, no_capacity)
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down")
            self._clusters[cluster.cluster_id] = cluster
            self._lives[cluster.cluster_id] = life
            life.start()

    def find(self, cluster_id: str) -> Cluster:
        """Return a cluster, live or ended, for the newer actions."""
        with self._lock:
            if cluster_id not in self._clusters:
                raise InvalidRequestError(f"Cluster id '{cluster_id}' is not valid.")
            return self._clusters[cluster_id]

    def find_job_flow(self, job_flow_id: str) -> Cluster:
        """Return a cluster for the older actions, which word their errors differently."""
        with self._lock:
            if job_flow_id not in self._clusters:
                raise ValidationError("Specified job flow ID does not exist.")
            return self._clusters[job_flow_id]

    def find_job_flows(self, job_flow_ids: Sequence[str]) -> list[Cluster]:
        """Return at most 10 clusters: https://docs.aws.amazon.com/emr/latest/APIReference/API_TerminateJobFlows.html"""
        if len(job_flow_ids) > _MAX_JOB_FLOW_IDS:
            raise ValidationError(f"{len(job_flow_ids)} job flows: at most {_MAX_JOB_FLOW_IDS} are allowed.")
        return [self.find_job_flow(job_flow_id) for job_flow_id in job_flow_ids]

    def list_newest_first(self) -> list[Cluster]:
        """Return all clusters, newest first."""
        with self._lock:
            return list(reversed(self._clusters.values()))

    def close(self) -> None:
        """Terminate every cluster, even if protected, and leave no process running."""
        with self._lock:
            self._closed = True
            lives = list(self._lives.values())
        for cluster in self.list_newest_first():
            if cluster.state not in ENDING:
                cluster.terminate(Ending("USER_REQUEST", "The local EMR was stopped"))
        deadline = time.monotonic() + _CLOSE_SECONDS
        for life in lives:
            life.finish(max(deadline - time.monotonic(), 0.0))
        self._guard.close()
