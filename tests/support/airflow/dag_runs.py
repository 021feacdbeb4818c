"""A run of the DAG in this process, and what is to be seen of it."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from orchard.settings import Settings
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
    """Return a function that runs the DAG once and gives the DAG run."""
    behave(node)
    environ["ORCHARD_NODE_ENV"] = str(node.parent)
    code = tmp_path / "a lake" / "code"
    code.mkdir(parents=True)
    (code / "install_node.sh").write_text("exit 0\n")
    model = tmp_path / "a lake" / "models" / "m"
    model.mkdir(parents=True)
    (model / "card.json").write_text('{"id": "m"}')

    def run_once(**conf: Any) -> Any:
        return run_quickly(build_dag(Settings.from_env(environ)), run_conf=conf)

    return run_once


def run_quickly(dag: Any, **arguments: Any) -> Any:
    """Run a DAG once, in this process, whose tasks look at EMR often: settings begin at a second."""
    for task in dag.tasks:
        if hasattr(task, "poll_interval"):
            task.poll_interval = POLL_INTERVAL
    return dag.test(**arguments)


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
