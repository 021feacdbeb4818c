"""Real spark-submit steps. They need the node's environment: ORCHARD_NODE_PYTHON, or `.venv-node`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_emr.execution.node import find_spark_home
from local_emr.settings import Settings
from tests.support.local_emr_client import bash_step, node_python, wait_for_step
from tests.support.polling import wait_for

Run = Callable[..., str]

JOB = """
import json, os, sys, time
from pathlib import Path
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
out = Path(sys.argv[1])
slow = sys.argv[2] == "slow"

def work(rows):
    for row in rows:
        if slow:
            (out / f"worker-{os.getpid()}").touch()
            time.sleep(300)
        yield row.id

total = sum(spark.range(10).repartition(2).rdd.mapPartitions(work).collect())
conf = spark.sparkContext.getConf()
property = spark._jvm.java.lang.System.getProperty
(out / "result.json").write_text(json.dumps({
    "total": total,
    "master": spark.sparkContext.master,
    "asked": conf.get("spark.orchard.asked"),
    "python": sys.executable,
    "local_dir": conf.get("spark.local.dir"),
    "option": property("local.emr.option"),
    "folders": [path for path in property("java.class.path").split(":") if Path(path).is_dir()],
}))
"""


@pytest.fixture(scope="module")
def local_emr_settings(local_emr_settings: Settings) -> Settings:
    return replace(local_emr_settings, driver_java_options='"-Dlocal.emr.option=a b"')


@pytest.fixture(scope="module", autouse=True)
def node_environment() -> None:
    """A test that cannot run is a failure here, not a skip."""
    assert find_spark_home(node_python()), (
        f"{node_python()} has no pyspark: make it, or set ORCHARD_NODE_PYTHON"
    )


def spark_step(job: Path, *args: str) -> dict[str, Any]:
    step = bash_step(":", name="spark")
    options = ["--deploy-mode", "cluster", "--conf", "spark.orchard.asked=a b"]
    step["HadoopJarStep"]["Args"] = ["spark-submit", *options, str(job), *args]
    return step


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.py"
    path.write_text(JOB)
    return path


def test_spark_submit_runs_in_local_mode_on_the_nodes_python(
    emr: Any, run: Run, job: Path, tmp_path: Path, work_dir: Path
) -> None:
    cluster_id = run(Steps=[spark_step(job, str(tmp_path), "fast")])
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    assert json.loads((tmp_path / "result.json").read_text()) == {
        "total": 45,
        "master": "local[1,4]",
        "asked": "a b",
        "python": str(node_python()),
        "local_dir": str(work_dir / cluster_id / "tmp"),
        "option": "a b",
        "folders": [],  # beside one with a file in it Java takes no archive of classes
    }


def test_a_step_that_brings_its_own_properties_gets_none_of_the_clusters(
    emr: Any, run: Run, job: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.conf"
    own.write_text("spark.master local[2]\nspark.ui.enabled false\n")
    step = spark_step(job, str(tmp_path), "fast")
    step["HadoopJarStep"]["Args"][1:1] = ["--properties-file", str(own)]
    cluster_id = run(Steps=[step])
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["master"], result["local_dir"], result["option"]) == ("local[2]", None, "a b")


def test_cancelling_a_spark_step_ends_the_python_workers_inside_a_udf(
    emr: Any, run: Run, job: Path, tmp_path: Path
) -> None:
    """Workers leave the process group of spark-submit (pyspark/daemon.py), and sleep in the UDF."""
    cluster_id = run(Steps=[spark_step(job, str(tmp_path), "slow")])
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    markers = wait_for(lambda: list(tmp_path.glob("worker-*")), "a Python worker to be in the UDF")
    workers = [psutil.Process(int(marker.name.removeprefix("worker-"))) for marker in markers]
    family = [ancestor for worker in workers for ancestor in (worker, *worker.parents()[:3])]
    names = {process.name() for process in family}
    assert "java" in names, f"the worker's ancestors are {names}"
    family = [process for process in family if process.environ().get("LOCAL_EMR_STEP") == step_id]
    emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id])
    wait_for_step(emr, cluster_id, step_id, "CANCELLED")
    assert len(family) >= 3
    left = [process for process in family if process.is_running() and process.status() != "zombie"]
    assert left == []
