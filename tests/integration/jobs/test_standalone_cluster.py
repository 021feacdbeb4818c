"""The jobs on a Spark cluster of separate processes: nothing may rely on the driver's memory or folder."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest
from pyspark.sql import SparkSession

from orchard_jobs.cli import JOBS
from orchard_jobs.contract import ExportJob, FeaturizeJob, Job, ReduceJob
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.run_folder import RunFolder
from tests.support.bad_images import write_folder
from tests.support.checkout import ROOT
from tests.support.spark_cluster import QUICK_JVM, running_spark_cluster, spark_environment

SPARK_HOME = Path(pyspark.__file__).parent
CALLER = {"OPENBLAS_CORETYPE": "Sandybridge", "OPENBLAS_L2_SIZE": "1024", "OPENBLAS_NUM_THREADS": "2"}
"""What a shell may have set that submits a step: none of it may show in the basis."""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make package` makes: all that a cluster gets of us."""
    folder = tmp_path_factory.mktemp("code")
    subprocess.run([sys.executable, str(ROOT / "bootstrap" / "package.py"), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a standalone cluster with two workers of one core each."""
    folder = tmp_path_factory.mktemp("cluster")
    with running_spark_cluster(SPARK_HOME, Path(sys.executable), folder) as cluster:
        yield cluster.url


def test_two_worker_processes_compute_what_one_process_computes(
    spark: SparkSession, master: str, code: Path, model_uri: str, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    write_folder(images, good=20, vanishing=False)
    on_cluster, alone = tmp_path / "cluster", tmp_path / "alone"
    for job in _jobs(images, model_uri, on_cluster):
        _submit(job, master, code, tmp_path)
    for job in _jobs(images, model_uri, alone):
        with JobMetrics(job.NAME, RunFolder(f"file://{alone}").metrics(job.NAME)) as metrics:
            JOBS[job.NAME][1](spark.sparkContext, job, metrics)
    results = ("csv/features.csv", "csv/rejects.csv", "outcomes.parquet")
    names = (*results, "basis/basis.npz", "basis/basis.json", "statistics/statistics.npz")
    ours, theirs = ({name: (run / name).read_bytes() for name in names} for run in (on_cluster, alone))
    assert ours == theirs


def _jobs(images: Path, model_uri: str, run: Path) -> list[Job]:
    folder = RunFolder(f"file://{run}")
    return [
        FeaturizeJob(images=f"file://{images}", model=model_uri, output=folder.uri, max_failure_ratio=0.6),
        ReduceJob(features=(folder.features,), output=folder.uri, components=3),
        ExportJob(components=(folder.components,), features=(folder.features,), output=folder.uri),
    ]


def _submit(job: Job, master: str, code: Path, folder: Path) -> None:
    command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", master, "--executor-memory", "1g"]
    command += ["--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"]
    command += ["--py-files", str(code / "orchard_jobs.zip"), str(code / "run.py"), *job.command]
    environment = {
        **spark_environment(SPARK_HOME, Path(sys.executable)),
        **CALLER,
        "JAVA_TOOL_OPTIONS": QUICK_JVM,
    }
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
