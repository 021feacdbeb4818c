"""What Airflow's database knows of the runs of a lake: their states and their clusters."""

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
    """Return the DAG runs that made ``runs``, by slug; Airflow may have forgotten some."""
    run_ids = [str(run["run_id"]) for run in runs if "run_id" in run]
    query = select(DagRun.dag_id, DagRun.run_id, DagRun.state).where(DagRun.run_id.in_(run_ids))
    # A run id is unique within its DAG; the slug tells of which one.
    return {
        run_slug(run_id, dag_id): Known(dag_id, run_id, str(state))
        for dag_id, run_id, state in session.execute(query)
    }


def find_one(session: Session, dag_id: str, run_id: str) -> Known | None:
    """Return one DAG run, if Airflow has it."""
    query = select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    state = session.scalar(query)
    return None if state is None else Known(dag_id, run_id, str(state))


def find_cluster(session: Session, dag_id: str, run_id: str) -> str | None:
    """Return the id of the newest cluster of a DAG run, published or not."""
    values = _pushed(session, dag_id, run_id, "job_flow_id")
    return values.get("create_cluster")


def tasks_by_step(session: Session, dag_id: str, run_id: str) -> dict[str, str]:
    """Return which task added a step last, by the step's id."""
    return {step: task for task, step in _pushed(session, dag_id, run_id, "step_id").items()}


def _pushed(session: Session, dag_id: str, run_id: str, key: str) -> dict[str, str]:
    query = select(XComModel.task_id, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == key
    )
    return {task_id: str(_text(value)) for task_id, value in session.execute(query)}


def _text(value: Any) -> Any:
    """XComs are stored as JSON, which some databases have unpacked already."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value
