"""Runs the DAG in this process, and inspects the run."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from orchard.settings.settings import Settings
from orchard.workflow.schedule import results
from orchard_features import build_dag

EVERY_TASK = (
    "sense",
    "create_cluster",
    "featurize",
    "reduce",
    "export",
    "publish",
    "compact",
    "report",
    "terminate_cluster",
)

POLL_INTERVAL = 0.1  # seconds


@pytest.fixture
def run(environ: dict[str, str], node: Path, tmp_path: Path) -> Any:
    """Return a function that runs the DAG once and returns the DAG run."""
    prepare_lake(tmp_path, node)
    environ["ORCHARD_NODE_ENV"] = str(node.parent)

    def run_once(**conf: Any) -> Any:
        return run_quickly(build_dag(Settings.from_env(environ)), run_conf=conf)

    return run_once


def run_quickly(dag: Any, **arguments: Any) -> Any:
    """Run a DAG once in this process, polling EMR more often than settings allow (at least a second)."""
    for task in dag.tasks:
        if hasattr(task, "poll_interval"):
            task.poll_interval = POLL_INTERVAL
    return dag.test(**arguments)


def prepare_lake(folder: Path, node: Path) -> None:
    """Write code and a model to the lake below ``folder``, and reset the fake Spark to normal behaviour."""
    behave(node)
    code = folder / "a lake" / "code"
    code.mkdir(parents=True)
    (code / "install_node.sh").write_text("exit 0\n")
    model = folder / "a lake" / "models" / "m"
    model.mkdir(parents=True)
    (model / "card.json").write_text('{"id": "m"}')


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


def events_of(lake: str) -> list[dict[str, Any]]:
    """Return the asset events of the lake's results, which other DAGs see."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        of_lake = events.filter(AssetModel.uri == results(lake).uri)
        return [event.extra for event in of_lake]
