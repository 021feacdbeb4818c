"""One Spark session and one model artefact for the suite. Fixtures of the node's environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from orchard_jobs.kernels import blas_variables

# Before NumPy loads, as in cli.py, so that a fit in this process has the same bits as in a driver.
os.environ.update(blas_variables())

import pytest
from pyspark.sql import SparkSession

from tests.support.checkout import ROOT
from tests.support.spark_cluster import QUICK_JVM

DATA = ROOT.parent / "shared" / "data"
JOBS_ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT / 'spark_jobs'}{os.pathsep}{ROOT}",
    "PYSPARK_PYTHON": sys.executable,
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    os.environ.update(JOBS_ENVIRONMENT)  # Python workers inherit it through the JVM
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.extraJavaOptions", QUICK_JVM)
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def model_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model artefact with untrained weights."""
    return export_model("untrained", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def trained_model_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model artefact with ImageNet weights, if available."""
    found = sorted(DATA.glob("mobilenet_v2*.h5"))
    if not found:
        pytest.skip("no trained weights in ../shared/data")
    return export_model(str(found[0]), tmp_path_factory.mktemp("trained"))


def export_model(weights: str, folder: Path) -> str:
    """Export in a separate process, so that TensorFlow's memory is released."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "orchard_jobs.models.model_export",
            f"--weights={weights}",
            f"--output=file://{folder}",
        ],
        env={**os.environ, **JOBS_ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]
