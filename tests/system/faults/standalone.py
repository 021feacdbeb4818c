"""A Spark cluster of separate processes, as YARN's containers are: executors die and are started again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.polling import wait_for
from tests.support.spark_cluster import running_spark_cluster
from tests.system.faults.node import Node


@dataclass(frozen=True)
class Standalone:
    """A master and two workers of one core each, all on loopback."""

    url: str
    workers: tuple[psutil.Process, ...]

    def executors(self) -> list[psutil.Process]:
        """Return the JVMs of executors."""
        found = [child for worker in self.workers for child in worker.children()]
        return [process for process in found if "CoarseGrainedExecutorBackend" in _command(process)]

    def executor_at_work(self) -> psutil.Process:
        """Return an executor as soon as it has a Python worker, which means a task."""

        def look() -> psutil.Process | None:
            return next((executor for executor in self.executors() if python_workers(executor)), None)

        return wait_for(look, "an executor with a Python worker")

    def python_worker(self) -> psutil.Process:
        """Return a Python worker as soon as there is one at work."""
        return wait_for(
            lambda: next((worker for one in self.executors() for worker in python_workers(one)), None),
            "a Python worker",
        )


def python_workers(jvm: psutil.Process) -> list[psutil.Process]:
    """Return the workers that the daemon of a JVM has forked and that are at work.

    Of one that dies before, Spark says no more than ``EOFException``: it had not said its name.
    """
    try:
        daemons = [child for child in jvm.children(recursive=True) if "pyspark.daemon" in _command(child)]
        workers = [daemon for daemon in daemons if "pyspark.daemon" in _command(daemon.parent())]
        return [worker for worker in workers if worker.num_threads() > 1]  # they are forked with one
    except psutil.Error:
        return []


@contextmanager
def running_standalone(node: Node, folder: Path) -> Iterator[Standalone]:
    """A cluster that is gone, with its executors, when the block ends."""
    with running_spark_cluster(node.spark_home, node.python, folder) as cluster:
        yield Standalone(cluster.url, tuple(map(psutil.Process, cluster.workers)))


def _command(process: psutil.Process | None) -> str:
    try:
        return " ".join(process.cmdline()) if process else ""
    except psutil.Error:
        return ""
