"""Access control: users see the published runs of the DAGs whose runs they may see in Airflow."""

from dataclasses import replace
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from orchard.lake.run_index import RunIndex
from orchard.pages.source import Source

DEFAULT_DAG_ID = "orchard_features"
"""The DAG whose permission applies to runs without a DAG: those of `orchard run` and of earlier versions."""


def get_source(request: Request) -> Source:
    source: Source = request.app.state.source()
    return source


def visible_runs(request: Request, user: GetUserDep) -> RunIndex:
    """Return the published runs that ``user`` may see.

    Raises:
        HTTPException: 403 for a user who may not see the runs of any DAG of this lake.
    """
    index = get_source(request).published()
    dags = {run.dag_id or DEFAULT_DAG_ID for run in index.runs} or {DEFAULT_DAG_ID}
    seen = {dag_id for dag_id in dags if _may_see_runs(user, dag_id)}
    if not seen:
        raise HTTPException(403, "Forbidden")
    return replace(index, runs=tuple(run for run in index.runs if (run.dag_id or DEFAULT_DAG_ID) in seen))


def _may_see_runs(user: GetUserDep, dag_id: str) -> bool:
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=details, user=user
    )


VisibleRuns = Annotated[RunIndex, Depends(visible_runs)]
