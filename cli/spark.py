"""A job by the node environment's spark-submit."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from local.last_word import last_word
from local.node import CODE, NODE_ENV
from local.processes import stop_session
from orchard_jobs.contract import JAVA_OPTIONS, Job
from orchard_jobs.errors import OrchardError

LOOK_INTERVAL = 0.5  # seconds


@dataclass(frozen=True)
class Spark:
    """Where jobs run.

    Args:
        master: ``local[*]``, ``spark://…``, ``yarn``.
        driver_memory: Heap of the driver.
        conf: Further settings of Spark.
    """

    master: str
    driver_memory: str
    conf: Mapping[str, str]

    def submit(self, job: Job, slug: str, look: Callable[[], None]) -> None:
        """Run a job of the run ``slug`` to its end, calling ``look`` meanwhile. What ends this ends the job.

        Raises:
            OrchardError: the job's own last word, if it failed.
        """
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                self._command(job, slug),
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
            look()
            if process.returncode:
                output.seek(0)
                raise _failure(job.NAME, output.read().decode(errors="replace"))

    def _command(self, job: Job, slug: str) -> list[str]:
        return [
            *(str(NODE_ENV / "bin" / "spark-submit"), "--master", self.master),
            *("--driver-memory", self.driver_memory, "--conf", "spark.ui.enabled=false"),
            *("--conf", f"spark.driver.extraJavaOptions={JAVA_OPTIONS}"),
            *("--conf", f"spark.executor.extraJavaOptions={JAVA_OPTIONS}"),
            *(part for key, value in self.conf.items() for part in ("--conf", f"{key}={value}")),
            *("--name", f"orchard {job.NAME} {slug}", "--py-files", str(CODE / "orchard_jobs.zip")),
            *(str(CODE / "run.py"), job.NAME, *job.to_argv()),
        ]

    def _environment(self) -> dict[str, str]:
        """Return the caller's own, credentials and all, but for the path of Airflow's side."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        loopback = {"SPARK_LOCAL_IP": "127.0.0.1"} if self.master.startswith("local") else {}
        return {**kept, **loopback, "PYSPARK_PYTHON": str(NODE_ENV / "bin" / "python")}


def _failure(job: str, output: str) -> OrchardError:
    return OrchardError(
        f"{job} failed: {last_word(output) or 'it said nothing'}",
        rule="only a run whose jobs succeeded is published",
        remedy="mend it and run again: what is published stays as it is",
    )
