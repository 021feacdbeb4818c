"""The lifecycle of a cluster, in its own thread: provisioning, bootstrap actions, steps, termination.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-overview.html#emr-overview-cluster-lifecycle
"""

from __future__ import annotations

import logging
import threading

from local_emr.clusters.cluster import ENDING, Cluster, Ending
from local_emr.clusters.identifiers import now
from local_emr.execution.bootstrap_actions import run_bootstrap_actions
from local_emr.execution.guard import Guard
from local_emr.execution.node import Node
from local_emr.execution.processes import end_processes
from local_emr.execution.step_runner import run_step
from local_emr.faults import Fault

_LOGGER = logging.getLogger(__name__)


class Lifecycle:
    """Moves a cluster from STARTING to its end. Its processes always end with it."""

    def __init__(self, cluster: Cluster, guard: Guard, no_capacity: Fault | None) -> None:
        self._cluster = cluster
        self._guard = guard
        self._node = Node(cluster)
        self._no_capacity = no_capacity
        self._thread = threading.Thread(target=self._run, name=cluster.cluster_id, daemon=True)
        self._step_threads: list[threading.Thread] = []

    def start(self) -> None:
        self._guard.watch(self._cluster.folder)
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Wait for a terminating cluster; after `seconds`, kill its processes and return."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            _LOGGER.error("cluster %s does not end: killing its processes", self._cluster.cluster_id)
            end_processes(self._node.marker, grace=0.0)
            self._node.remove()

    def _run(self) -> None:
        try:
            self._provision()
            self._bootstrap()
            self._serve_steps()
        except Exception as error:
            _LOGGER.exception("cluster %s", self._cluster.cluster_id)
            self._cluster.terminate(Ending("INTERNAL_ERROR", f"Internal error: {error!r}"))
        finally:
            self._end()

    def _provision(self) -> None:
        if self._no_capacity is None:
            self._sleep(self._cluster.settings.provisioning_seconds)
            return
        self._sleep(self._seconds_without_capacity(self._no_capacity))
        if self._cluster.hardware.kind == "INSTANCE_FLEET":
            code, noun = "INSTANCE_FLEET_TIMEOUT", "fleets"
        else:
            code, noun = "INSTANCE_FAILURE", "groups"
        self._cluster.terminate(Ending(code, f"The instance {noun} could not be provisioned: no capacity"))

    def _seconds_without_capacity(self, fault: Fault) -> float:
        """Return how long EMR waits for Spot capacity before it gives up."""
        if fault.seconds is not None:
            return fault.seconds
        return self._cluster.hardware.spot_timeout_minutes * 60 / self._cluster.settings.speedup

    def _bootstrap(self) -> None:
        self._node.prepare()
        self._cluster.move_to("BOOTSTRAPPING", "Running bootstrap actions")
        run_bootstrap_actions(self._cluster, self._node)

    def _serve_steps(self) -> None:
        cluster = self._cluster
        with cluster.changed:
            if cluster.state not in ENDING:
                cluster.ready = now()
            while cluster.state not in ENDING:
                started = cluster.start_pending_steps()
                for step in started:
                    thread = threading.Thread(
                        target=run_step, args=(cluster, self._node, step), name=step.step_id, daemon=True
                    )
                    thread.start()
                    self._step_threads.append(thread)
                if not started:
                    timeout = cluster.become_idle()
                    if cluster.state not in ENDING:
                        cluster.changed.wait(timeout)

    def _end(self) -> None:
        cluster = self._cluster
        for thread in self._step_threads:
            thread.join()
        end_processes(self._node.marker, cluster.settings.stop_grace_seconds)
        self._node.remove()
        self._guard.release(cluster.folder)
        with cluster.changed:
            cluster.state = cluster.ending.state if cluster.ending else "TERMINATED_WITH_ERRORS"
            cluster.ended = now()
            cluster.changed.notify_all()

    def _sleep(self, seconds: float) -> None:
        """Wait until the time has passed or the cluster is terminating."""
        with self._cluster.changed:
            self._cluster.changed.wait_for(lambda: self._cluster.state in ENDING, timeout=seconds)
