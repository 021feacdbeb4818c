"""DAG runs in Airflow's database: their states, clusters and steps."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchard.lake.layout import run_slug


@dataclass(frozen=True)
class Known:
    """A DAG run."""

    dag_id: str
    run_id: str
    state: str


def find_known(session: Session, runs: Iterable[Mapping[str, Any]]) -> dict[str, Known]:
    """Return the DAG runs of ``runs``, by slug; some may have been deleted from Airflow."""
    run_ids = [str(run["run_id"]) for run in runs if "run_id" in run]
    query = select(DagRun.dag_id, DagRun.run_id, DagRun.state).where(DagRun.run_id.in_(run_ids))
    # A run id is unique within its DAG only; the slug includes the DAG.
    return {
        run_slug(run_id, dag_id): Known(dag_id, run_id, str(state))
        for dag_id, run_id, state in session.execute(query)
    }


def find_one(session: Session, dag_id: str, run_id: str) -> Known | None:
    """Return one DAG run; None if Airflow does not have it."""
    query = select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    state = session.scalar(query)
    return None if state is None else Known(dag_id, run_id, str(state))


def find_cluster(session: Session, dag_id: str, run_id: str) -> str | None:
    """Return the id of the newest cluster of a DAG run, published or not."""
    values = _pushed(session, dag_id, run_id, "job_flow_id")
    return values.get("create_cluster")


def tasks_by_step(session: Session, dag_id: str, run_id: str) -> dict[str, str]:
    """Return the task that added each step, by step id."""
    return {step: task for task, step in _pushed(session, dag_id, run_id, "step_id").items()}


def _pushed(session: Session, dag_id: str, run_id: str, key: str) -> dict[str, str]:
    query = select(XComModel.task_id, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == key
    )
    return {task_id: str(_text(value)) for task_id, value in session.execute(query)}


def _text(value: Any) -> Any:
    """Decode an XCom, which is stored as JSON; some database drivers decode it already."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value
