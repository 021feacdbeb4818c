"""The three jobs of a first run, and the same run in a local folder for comparison."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset

from orchard_jobs.contract import ExportJob, FeaturizeJob, Job, ReduceJob
from orchard_jobs.run_folder import RunFolder
from tests.support.checkout import NODE_PYTHON, ROOT
from tests.support.s3a.buckets import download
from tests.support.spark_cluster import QUICK_JVM

RUN = "import sys; from orchard_jobs.cli import main; sys.exit(main(sys.argv[1:]))"
OPTIONS = [
    *("--master", "local[2]", "--conf", "spark.ui.enabled=false"),
    *("--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", "spark.driver.host=127.0.0.1"),
]


def three_jobs(images: str, model: str, output: str) -> tuple[Job, Job, Job]:
    folder = RunFolder(output)
    return (
        FeaturizeJob(images=images, model=model, output=output, max_failure_ratio=0.2),
        ReduceJob(features=(folder.features,), output=output, components=5),
        ExportJob(components=(folder.components,), features=(folder.features,), output=output),
    )


@dataclass
class RunOnFiles:
    """The three jobs, one after the other, in a process without S3.

    Args:
        folder: Folder of the run.
    """

    process: "subprocess.Popen[str]"
    folder: Path

    def finish(self) -> Path:
        """Wait for the end of the run; return its folder."""
        if self.process.returncode is None:
            said, _ = self.process.communicate()
            assert self.process.returncode == 0, said
        return self.folder


def start_on_files(images: Path, model: Path, output: Path) -> RunOnFiles:
    jobs = three_jobs(f"file://{images}", f"file://{model}", f"file://{output}")
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ},
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "spark_jobs"),
        "PYSPARK_PYTHON": str(NODE_PYTHON),
        "PYSPARK_SUBMIT_ARGS": " ".join([*OPTIONS, "pyspark-shell"]),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "JAVA_TOOL_OPTIONS": QUICK_JVM,
    }
    arguments = [token for job in jobs for token in job.command]
    process = subprocess.Popen(
        [NODE_PYTHON, "-c", RUN, *arguments],
        cwd=output,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return RunOnFiles(process, output)


def features_in_s3(run: str, folder: Path) -> Any:
    """Return the rows of ``features/`` by path, read from a copy in the new folder ``folder``."""
    download(f"{run}/features", folder)
    return pyarrow.dataset.dataset(folder, format="parquet").to_table().sort_by("path")
