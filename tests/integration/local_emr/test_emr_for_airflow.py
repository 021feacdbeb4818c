"""The operators and sensors of Airflow's Amazon provider, in the order of its example, on real Spark."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from airflow.sdk import DAG

from local_emr.launcher import running_emr
from tests.support.airflow.example_emr.example_emr import DEFERRABLE, ROLE, WAITING
from tests.support.checkout import ROOT
from tests.support.local_emr_client import node_python, point_to, state_of

FOLDER = ROOT / "tests" / "support" / "airflow" / "example_emr"
BUNDLE = {
    "name": "example",
    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
    "kwargs": {"path": str(FOLDER)},
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, airflow_db: None) -> Iterator[Path]:
    """Start a local EMR for AWS clients; return its folder for S3 logs."""
    folder = tmp_path_factory.mktemp("emr")
    options = ["--s3-logs", str(folder / "s3"), "--stop-grace-seconds", "1"]
    with (
        running_emr(node_python(), folder / "work", log_file=folder / "log", options=options) as endpoint,
        pytest.MonkeyPatch.context() as patch,
    ):
        point_to(endpoint, patch)
        patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([BUNDLE]))
        yield folder / "s3"


@pytest.mark.parametrize("dag", [WAITING, DEFERRABLE], ids=["waiting", "deferrable"])
def test_the_providers_example_succeeds(logs: Path, dag: DAG) -> None:
    dag_run = dag.test()
    states = {instance.task_id: str(instance.state) for instance in dag_run.get_task_instances()}
    assert states == dict.fromkeys(dag.task_ids, "success")
    emr = boto3.client("emr")
    cluster_id = emr.list_clusters()["Clusters"][0]["Id"]
    assert state_of(emr, cluster_id) == "TERMINATED"
    assert emr.list_security_configurations()["SecurityConfigurations"] == []
    steps = emr.list_steps(ClusterId=cluster_id)["Steps"]
    assert [step["Status"]["State"] for step in steps] == ["COMPLETED", "COMPLETED"]
    added = emr.describe_step(ClusterId=cluster_id, StepId=steps[0]["Id"])["Step"]
    assert added["ExecutionRoleArn"] == ROLE
    for step in steps:
        stdout = logs / "logs-of-example" / cluster_id / "steps" / step["Id"] / "stdout.gz"
        assert re.match(r"Pi is roughly 3\.\d+", gzip.decompress(stdout.read_bytes()).decode())
