"""Runs a job with the real `spark-submit`."""

import os
import sys
from pathlib import Path

import pyspark

from orchard_jobs.contract import Job
from tests.support.checkout import ROOT
from tests.support.spark_cluster import QUICK_JVM, spark_environment

SPARK_HOME = Path(pyspark.__file__).parent


def submit_command(job: Job, *before: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment of a job on two cores of this machine.

    Args:
        before: Folders at the beginning of PYTHONPATH.
    """
    command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", "local[2,4]"]
    command += ["--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"]
    command += [str(ROOT / "spark_jobs" / "run.py"), *job.command]
    environment = spark_environment(SPARK_HOME, Path(sys.executable)) | {"JAVA_TOOL_OPTIONS": QUICK_JVM}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, [*before, ROOT / "spark_jobs"]))
    return command, environment
