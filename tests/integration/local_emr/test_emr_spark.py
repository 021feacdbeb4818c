"""Real Spark and Java steps. They need the node's environment: ORCHARD_NODE_PYTHON, or `.venv-node`."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_emr.execution.node import find_spark_home, read_spark_version
from local_emr.execution.spark_examples import find_python_example
from local_emr.settings import Settings
from tests.support.local_emr_client import Json, add_step, bash_step, node_python, wait_for_step
from tests.support.polling import wait_for
from tests.support.tiny_jar import make_jar

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
    """Fail instead of skipping if the node's environment is missing."""
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
        "folders": [],  # Java rejects a class data archive if a folder on the class path contains a file
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


def run_step(emr: Any, run: Run, logs: Path, jar_step: Json, **cluster: Any) -> dict[str, str]:
    """Run a step that succeeds; return its logs."""
    cluster_id = run(LogUri=logs.as_uri(), **cluster)
    step_id = add_step(emr, cluster_id, {"Name": "step", "HadoopJarStep": jar_step})
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    folder = logs / cluster_id / "steps" / step_id
    return {path.stem: gzip.decompress(path.read_bytes()).decode() for path in folder.iterdir()}


def test_spark_submit_is_found_where_emr_has_it_and_another_spark_than_the_releases_is_warned_of(
    emr: Any, run: Run, tmp_path: Path
) -> None:
    job = tmp_path / "job.py"
    job.write_text("from pyspark.sql import SparkSession; print(SparkSession.builder.getOrCreate().version)")
    jar_step = {"Jar": "command-runner.jar", "Args": ["/usr/bin/spark-submit", "--master", "yarn", str(job)]}
    logs = run_step(emr, run, tmp_path, jar_step, ReleaseLabel="emr-7.1.0")
    there = logs["stdout"].strip()
    assert f"WARNING: emr-7.1.0 has Spark 3.5.0, but this node runs Spark {there}" in logs["controller"]
    assert "spark.master=yarn is left out" in logs["controller"]


def test_the_releases_own_spark_is_not_warned_of(emr: Any, run: Run, tmp_path: Path) -> None:
    assert read_spark_version(find_spark_home(node_python()) or Path()) == "4.1.1"
    jar_step = {"Jar": "command-runner.jar", "Args": ["spark-submit", "--version"]}
    assert "WARNING" not in run_step(emr, run, tmp_path, jar_step)["controller"]


def test_run_example_runs_sparks_own_example(emr: Any, run: Run, tmp_path: Path) -> None:
    arguments = ["/usr/lib/spark/bin/run-example", "--name", "pi", "SparkPi", "3"]
    logs = run_step(emr, run, tmp_path, {"Jar": "command-runner.jar", "Args": arguments})
    assert re.fullmatch(r"Pi is roughly 3\.\d+\n", logs["stdout"])
    assert "run-example SparkPi runs pi.py" in logs["controller"]


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("SparkPi", "pi.py"),
        ("org.apache.spark.examples.JavaWordCount", "wordcount.py"),
        ("ml.KMeansExample", "ml/kmeans_example.py"),
    ],
)
def test_an_example_is_found_by_the_name_of_its_sister(name: str, script: str) -> None:
    found = find_python_example(find_spark_home(node_python()), name)
    assert found is not None
    assert found.as_posix().endswith(f"/python/{script}")


def test_an_example_that_pyspark_does_not_bring_is_refused_plainly(emr: Any, run: Run) -> None:
    cluster_id = run()
    jar_step = {"Jar": "command-runner.jar", "Args": ["spark-example", "LocalPi"]}
    step_id = add_step(emr, cluster_id, {"Name": "example", "HadoopJarStep": jar_step})
    failure = wait_for_step(emr, cluster_id, step_id, "FAILED")["FailureDetails"]
    assert failure["Message"].startswith(
        "run-example has no 'LocalPi': pyspark contains only the Python examples"
    )


@pytest.mark.parametrize("in_manifest", [True, False], ids=["main class in manifest", "main class in step"])
def test_a_jar_of_ones_own_runs_in_java_with_its_arguments_and_properties(
    emr: Any, run: Run, tmp_path: Path, in_manifest: bool
) -> None:
    jar = make_jar(tmp_path / "told.jar", "Told" if in_manifest else None)
    told = tmp_path / "told"
    jar_step: Json = {
        "Jar": jar.as_uri(),
        "Args": [str(told), "a b", "", "}}"],
        "Properties": [{"Key": "told.property", "Value": "c d"}],
        **({} if in_manifest else {"MainClass": "Told"}),
    }
    run_step(emr, run, tmp_path, jar_step)
    assert told.read_text() == f"[{told}, a b, , }}}}] c d"


def test_a_jar_that_fails_fails_its_step_and_is_quoted(emr: Any, run: Run, tmp_path: Path) -> None:
    cluster_id = run()
    jar_step = {"Jar": str(make_jar(tmp_path / "told.jar", "Told"))}
    step_id = add_step(emr, cluster_id, {"Name": "jar", "HadoopJarStep": jar_step})
    failure = wait_for_step(emr, cluster_id, step_id, "FAILED")["FailureDetails"]
    assert "java.lang.ArrayIndexOutOfBoundsException" in failure["Message"]


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
