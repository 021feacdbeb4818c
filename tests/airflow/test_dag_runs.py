"""Whole runs of the DAG on the local EMR, with a Spark that only writes what the jobs would."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from orchard_features import build_dag

from orchard.settings import Settings
from orchard.storage import local_path

EVERY_TASK = ("sense", "create_cluster", "featurize", "reduce", "export", "publish", "terminate_cluster")

pytestmark = pytest.mark.usefixtures("airflow_db", "emr")


@pytest.fixture
def run(environ: dict[str, str], node: Path, tmp_path: Path) -> Any:
    """Return a function that runs the DAG once and gives the DAG run."""
    behave(node)
    code = tmp_path / "a lake" / "code"
    code.mkdir(parents=True)
    (code / "install_node.sh").write_text("exit 0\n")

    def run_once(**conf: Any) -> Any:
        return build_dag(Settings.from_env(environ)).test(run_conf=conf)

    return run_once


def behave(node: Path, **how: str) -> None:
    (node / "behaviour.json").write_text(json.dumps(how))


def add_images(tmp_path: Path, *names: str) -> None:
    for name in names:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"an image")


def states_of(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def live_clusters() -> list[str]:
    live = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
    return [c["Id"] for c in boto3.client("emr").list_clusters(ClusterStates=live)["Clusters"]]


def test_new_images_are_published_and_the_cluster_is_terminated(run: Any, settings: Settings, tmp_path: Path) -> None:
    add_images(tmp_path, "apple/1.jpg", "pear/2 é.jpg")
    dag_run = run()
    assert states_of(dag_run) == dict.fromkeys(EVERY_TASK, "success")
    latest = json.loads((local_path(settings.places.lake) / "latest.json").read_text())
    assert latest["runs"] == [latest["run"]]
    summary = json.loads(local_path(latest["run_json"]).read_text())
    assert summary["counts"] == {"listed": 2, "featurized": 2, "rejected": 0, "known": 0}
    assert live_clusters() == []
