"""The three jobs as steps of EMR on YARN, with drivers in containers, and with one on the primary node."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr.authentication import Endpoint
from orchard_airflow.step_logs import last_lines
from orchard_jobs.contract import ReduceJob
from tests.support.s3a.buckets import IMAGES, LAKE, read, upload
from tests.support.s3a.jobs import RunOnFiles, features_in_s3, three_jobs
from tests.support.s3a.steps import StepCluster, start_cluster
from tests.system.yarn.listening import Listener, is_loopback, watching_listeners
from tests.system.yarn.yarn import Yarn

FRUIT = f"s3://{IMAGES}/50% ü/#1 + more"
RUN = f"s3://{LAKE}/runs/by hand"
SMALL = {
    "ORCHARD_DRIVER_MEMORY": "512m",
    "ORCHARD_DRIVER_OVERHEAD": "512m",
    "ORCHARD_EXECUTOR_MEMORY": "512m",
    "ORCHARD_EXECUTOR_OVERHEAD": "512m",
    "ORCHARD_EXECUTOR_CORES": "1",
    "ORCHARD_REGION": "eu-west-3",
}
"""Containers of 1 GiB. YARN ends one that takes more."""


@pytest.fixture(scope="module")
def on_files(emr: Endpoint, image_folder: Path, model_in_s3: str, run_on_files: RunOnFiles) -> Path:
    """The folder of a run in local mode, on files."""
    upload(image_folder, FRUIT)
    return run_on_files.finish()


@pytest.fixture(scope="module")
def listeners(emr: Endpoint) -> Iterator[set[Listener]]:
    """Who has listened since the first test."""
    with watching_listeners() as seen:
        yield seen


@pytest.fixture(scope="module")
def in_containers(on_files: Path, listeners: set[Listener], s3_environ: dict[str, str]) -> StepCluster:
    """A cluster whose drivers run in containers."""
    return start_cluster({**s3_environ, **SMALL, "ORCHARD_DEPLOY_MODE": "cluster"}, core_nodes=2)


@pytest.fixture(scope="module")
def computed(in_containers: StepCluster, model_in_s3: str) -> str:
    """The folder of a run in S3."""
    for job in three_jobs(FRUIT, model_in_s3, RUN):
        in_containers.run(job)
    return RUN


def test_the_csv_is_byte_for_byte_that_of_local_mode(computed: str, on_files: Path) -> None:
    for name in ("features.csv", "rejects.csv"):
        assert read(f"{computed}/csv/{name}") == (on_files / "csv" / name).read_bytes()


@pytest.mark.usefixtures("computed")
def test_a_driver_in_a_container_is_told_the_region(yarn: Yarn) -> None:
    """What spark-env exports is not there: the container's environment is all that it has."""
    launches = [path for folder in yarn.container_logs for path in folder.glob("*/*/launch_container.sh")]
    drivers = [text for text in (path.read_text() for path in launches) if "ApplicationMaster " in text]
    assert len(drivers) == 3
    for driver in drivers:
        assert re.search(r'^export AWS_REGION="eu-west-3"$', driver, re.MULTILINE)


def test_a_failed_jobs_error_is_found_in_the_log_of_its_drivers_container(
    in_containers: StepCluster, computed: str
) -> None:
    no_features = f"{computed}/components"
    step = in_containers.end_of(ReduceJob((no_features,), f"s3://{LAKE}/runs/failed", components=5))
    assert step["Status"]["State"] == "FAILED"
    hook = {"aws_conn_id": None}
    said = last_lines(in_containers.logs, in_containers.cluster_id, step, timeout=5, hook=hook)
    of_step, _, of_driver = said.partition("The last lines of the driver's stdout:\n")
    assert "orchard: " not in of_step
    assert ".parquet has no status: the output of the previous job has these columns." in of_driver


def test_a_driver_on_the_primary_node_has_the_same_features_computed(
    computed: str, s3_environ: dict[str, str], model_in_s3: str, tmp_path: Path
) -> None:
    """In client mode, which is the default, with executors in containers all the same."""
    featurize, *_ = three_jobs(FRUIT, model_in_s3, f"{computed} in client mode")
    start_cluster({**s3_environ, **SMALL}, core_nodes=2).run(featurize)
    of_client = features_in_s3(f"{computed} in client mode", tmp_path / "client")
    assert of_client == features_in_s3(computed, tmp_path / "cluster")


@pytest.mark.usefixtures("computed")
def test_nothing_listens_beyond_loopback(listeners: set[Listener]) -> None:
    servers = ("ResourceManager", "NodeManager", "yarn.ApplicationMaster", "ExecutorBackend")
    assert {name for name in servers if any(name in one.command for one in listeners)} == set(servers)
    assert [one for one in listeners if not is_loopback(one)] == []
