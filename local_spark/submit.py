"""Runs jobs with the node environment's spark-submit."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from local_spark.class_archive import driver_options
from local_spark.node import CODE, NODE_ENV, describe_exit
from local_spark.processes import find_error, stop_session
from orchard.lake.event_logs import event_log_conf
from orchard.settings.settings import Settings
from orchard.settings.sizing import spark_sizes
from orchard_jobs.contract import JAVA_OPTIONS, Job
from orchard_jobs.errors import OrchardError

LOOK_INTERVAL = 0.5  # seconds


def require_java(environ: Mapping[str, str]) -> None:
    """Raise OrchardError if Spark would find no Java. Spark itself checks the version."""
    home = environ.get("JAVA_HOME")
    if shutil.which(f"{home}/bin/java" if home else "java", path=environ.get("PATH")) is None:
        raise OrchardError(
            f"no java {f'in JAVA_HOME={home}' if home else 'on the PATH'}",
            rule="Spark needs Java 17 or 21",
            remedy="install a JDK 17 or 21, and set JAVA_HOME to it",
        )


@dataclass(frozen=True)
class Spark:
    """The Spark that runs the jobs.

    Args:
        master: ``local[*,4]``, ``spark://…``, ``yarn``.
        driver_memory: Heap of the driver.
        conf: Additional Spark configuration.
    """

    master: str
    driver_memory: str
    conf: Mapping[str, str]

    @classmethod
    def of_settings(cls, settings: Settings, master: str) -> Self:
        """Return a Spark on ``master`` that writes its event logs beside those of the clusters."""
        memory = spark_sizes(settings.fleet, settings.spark).driver_memory
        return cls(master, memory, event_log_conf(settings.places.logs))

    def submit(self, jobs: Sequence[Job], slug: str, look: Callable[[], str]) -> None:
        """Run the jobs of the run ``slug`` as one application. An exception here also stops the application.

        Args:
            look: Called repeatedly; returns the name of the running job.

        Raises:
            OrchardError: the error of the job that failed.
        """
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                self._command(jobs, slug),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    look()
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(LOOK_INTERVAL)
            finally:
                stop_session(process)
            running = look()
            if process.returncode:
                output.seek(0)
                raise _failure(running, output.read().decode(errors="replace"), process.returncode)

    def _command(self, jobs: Sequence[Job], slug: str) -> list[str]:
        return [
            *(str(NODE_ENV / "bin" / "spark-submit"), "--master", self.master),
            *("--driver-memory", self.driver_memory, "--conf", "spark.ui.enabled=false"),
            *("--conf", f"spark.driver.extraJavaOptions={JAVA_OPTIONS}"),
            *("--conf", f"spark.executor.extraJavaOptions={JAVA_OPTIONS}"),
            *(part for key, value in self.conf.items() for part in ("--conf", f"{key}={value}")),
            *("--name", f"orchard {slug}", "--py-files", str(CODE / "orchard_jobs.zip")),
            *(str(CODE / "run.py"), *(token for job in jobs for token in job.command)),
        ]

    def _environment(self) -> dict[str, str]:
        """Return the caller's environment with its credentials, but without Airflow's PYTHONPATH."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        loopback = {"SPARK_LOCAL_IP": "127.0.0.1"} if self.master.startswith("local") else {}
        options = f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} {driver_options(os.environ)}".strip()
        return {
            **kept,
            **loopback,
            "PYSPARK_PYTHON": str(NODE_ENV / "bin" / "python"),
            "SPARK_SUBMIT_OPTS": options,
        }


def _failure(job: str, output: str, code: int) -> OrchardError:
    return OrchardError(
        f"{job} failed: {find_error(output) or describe_exit(code, 'its driver')}",
        rule="a run is published only if all its jobs succeed",
        remedy="fix the cause and run again: published results are unchanged",
    )
