"""A Spark cluster of separate processes, as YARN's containers are: executors die and are started again."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.node import Node, spark_environment
from tests.faults.waiting import wait_for

START_SECONDS = 60.0


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

        return wait_for(look, "an executor with a Python worker", START_SECONDS)

    def python_worker(self) -> psutil.Process:
        """Return a Python worker as soon as there is one."""
        return wait_for(
            lambda: next((worker for one in self.executors() for worker in python_workers(one)), None),
            "a Python worker",
            START_SECONDS,
        )


def python_workers(jvm: psutil.Process) -> list[psutil.Process]:
    """Return the workers that the daemon of a JVM has forked."""
    try:
        daemons = [child for child in jvm.children(recursive=True) if "pyspark.daemon" in _command(child)]
        return [daemon for daemon in daemons if "pyspark.daemon" in _command(daemon.parent())]
    except psutil.Error:
        return []


@contextmanager
def running_standalone(node: Node, folder: Path) -> Iterator[Standalone]:
    """A cluster that is gone, with its executors, when the block ends."""
    deploy = "org.apache.spark.deploy"
    address = ["--host", "127.0.0.1", "--webui-port", "0"]
    with ExitStack() as running:
        master = [f"{deploy}.master.Master", *address, "--port", "0"]
        running.enter_context(_spark_class(node, master, folder / "master.log"))
        url = _wait_for_line(folder / "master.log", r"Starting Spark master at (spark://\S+)")
        workers = []
        for name in ("worker-1", "worker-2"):
            size = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / name)]
            worker = [f"{deploy}.worker.Worker", *address, *size, url]
            workers.append(running.enter_context(_spark_class(node, worker, folder / f"{name}.log")))
        for name in ("worker-1", "worker-2"):
            _wait_for_line(folder / f"{name}.log", r"Successfully registered with master")
        yield Standalone(url, tuple(psutil.Process(worker.pid) for worker in workers))


@contextmanager
def _spark_class(node: Node, arguments: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [str(node.spark_home / "bin" / "spark-class"), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=spark_environment(node), stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def _wait_for_line(log: Path, pattern: str) -> str:
    def look() -> str | None:
        found = re.search(pattern, log.read_text(errors="replace"))
        return found.group(found.lastindex or 0) if found else None

    return wait_for(look, f"{log.name} to say {pattern!r}", START_SECONDS)


def _command(process: psutil.Process | None) -> str:
    try:
        return " ".join(process.cmdline()) if process else ""
    except psutil.Error:
        return ""
