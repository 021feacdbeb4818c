"""A Spark cluster with separate processes on loopback, like YARN's containers. For both environments."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.polling import wait_for

# Less compilation and a single garbage collection thread: twice as fast for jobs of a few seconds.
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass(frozen=True)
class SparkCluster:
    """A master and two workers with one core each.

    Args:
        url: Argument of ``spark-submit --master``.
        workers: Process ids of the workers' JVMs.
    """

    url: str
    workers: tuple[int, ...]


@contextmanager
def running_spark_cluster(spark_home: Path, python: Path, folder: Path) -> Iterator[SparkCluster]:
    """Start a cluster, and stop it and its executors after the block; its logs are in ``folder``."""
    environment = {**spark_environment(spark_home, python), "JAVA_TOOL_OPTIONS": QUICK_JVM}
    deploy = "org.apache.spark.deploy"
    # Different host names, as on a cluster: Spark starts no second attempt on the host of the first.
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
    """Return the environment of Spark's processes, without PYTHONPATH: --py-files brings our code."""
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
