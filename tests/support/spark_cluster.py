"""A Spark cluster of separate processes on loopback, as YARN's containers are. For both environments."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.polling import wait_for

# Less to compile, and one thread to collect garbage: twice as fast for jobs of a few seconds.
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass(frozen=True)
class SparkCluster:
    """A master and two workers of one core each.

    Args:
        url: For ``spark-submit --master``.
        workers: Process ids of the workers' JVMs.
    """

    url: str
    workers: tuple[int, ...]


@contextmanager
def running_spark_cluster(spark_home: Path, python: Path, folder: Path) -> Iterator[SparkCluster]:
    """A cluster that is gone, with its executors, when the block ends; its logs are in ``folder``."""
    environment = {**spark_environment(spark_home, python), "JAVA_TOOL_OPTIONS": QUICK_JVM}
    deploy = "org.apache.spark.deploy"
    # Each on a host of its own, as nodes are: Spark starts no second attempt at a task beside the first.
    hosts = {"worker-1": "127.0.0.2", "worker-2": "127.0.0.3"}
    with ExitStack() as running:

        def start(name: str, role: str, host: str, *arguments: str) -> int:
            address = ["--host", host, "--webui-port", "0"]
            command = [str(spark_home / "bin" / "spark-class"), f"{deploy}.{role}", *address, *arguments]
            log, local = folder / f"{name}.log", {"SPARK_LOCAL_IP": host}
            return running.enter_context(session(command, environment | local, log))

        start("master", "master.Master", "127.0.0.1", "--port", "0")
        url = wait_for_line(folder / "master.log", r"Starting Spark master at (spark://\S+)")
        workers = []
        for name, host in hosts.items():
            size = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / name)]
            workers.append(start(name, "worker.Worker", host, *size, url))
        for name in hosts:
            wait_for_line(folder / f"{name}.log", r"Successfully registered with master")
        yield SparkCluster(url, tuple(workers))


def spark_environment(spark_home: Path, python: Path) -> dict[str, str]:
    """Return the environment of Spark's processes. No PYTHONPATH: they have our code from --py-files only."""
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    return {
        **passed,
        "SPARK_HOME": str(spark_home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": str(python),
    }


@contextmanager
def session(command: list[str], environment: dict[str, str], log: Path) -> Iterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def wait_for_line(log: Path, pattern: str) -> str:
    def look() -> str | None:
        found = re.search(pattern, log.read_text(errors="replace"))
        return found.group(found.lastindex or 0) if found else None

    return wait_for(look, f"{log.name} to say {pattern!r}")
