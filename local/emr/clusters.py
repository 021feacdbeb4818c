"""Every cluster of the server, live and ended. They are kept in memory and are gone with the server."""

from __future__ import annotations

import threading

from local.emr.cluster import ENDING, Cluster, Ending
from local.emr.faults import NoCapacity
from local.emr.lifecycle import Lifecycle


class Clusters:
    """Clusters by id, in the order of their creation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clusters: dict[str, Cluster] = {}
        self._lives: dict[str, Lifecycle] = {}
        self._closed = False

    def create(self, cluster: Cluster, no_capacity: NoCapacity | None) -> None:
        """Take a cluster in and start its life."""
        life = Lifecycle(cluster, no_capacity)
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down")
            self._clusters[cluster.cluster_id] = cluster
            self._lives[cluster.cluster_id] = life
            life.start()

    def get(self, cluster_id: str) -> Cluster | None:
        """A cluster, ended or not; None where there was never one of this id."""
        with self._lock:
            return self._clusters.get(cluster_id)

    def newest_first(self) -> list[Cluster]:
        """All of them."""
        with self._lock:
            return list(reversed(self._clusters.values()))

    def close(self) -> None:
        """End every cluster, protected or not, and wait until nothing of them runs."""
        with self._lock:
            self._closed = True
            lives = list(self._lives.values())
        for cluster in self.newest_first():
            if cluster.state not in ENDING:
                cluster.terminate(Ending("USER_REQUEST", "The local EMR was stopped"))
        for life in lives:
            life.join()
