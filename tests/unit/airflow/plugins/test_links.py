"""Links on tasks: which there are, where they lead, and that they survive the way to the API server."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from orchard.settings.settings import Settings
from orchard_airflow.page_links import CsvLink, ReportLink, StepLogsLink
from orchard_features import build_dag

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}
LOGS = "Logs of the steps"
OF_CLUSTER = ["EMR Cluster", "EMR Cluster Logs", LOGS]
OF_STEP = ["EMR Cluster", "EMR Cluster Logs", "EMR Step Logs", LOGS]

TI: Any = SimpleNamespace(dag_id="a dag/é", run_id="manual__2026-11-22T02:00:00+00:00?&")
QUERY = "dag_id=a%20dag%2F%C3%A9&run_id=manual__2026-11-22T02%3A00%3A00%2B00%3A00%3F%26"


def test_the_links_of_every_task_reach_the_api_server() -> None:
    dag = DagSerialization.from_dict(DagSerialization.to_dict(build_dag(Settings.from_env(LEAST))))
    assert {task.task_id: task.extra_links for task in dag.tasks} == {
        "sense": [],
        "create_cluster": OF_CLUSTER,
        "featurize": OF_STEP,
        "reduce": OF_STEP,
        "export": OF_STEP,
        "terminate_cluster": OF_CLUSTER,
        "publish": ["CSV", "Report"],
        "report": ["CSV", "Report"],
        "compact": [],
    }


@pytest.mark.parametrize(
    ("link", "page"),
    [
        (ReportLink(), "/plugin/orchard/orchard/dag-run?show=report&"),
        (CsvLink(), "/orchard/dag-run?show=csv&"),
        (StepLogsLink(), "/plugin/orchard/orchard/logs?"),
    ],
)
def test_a_link_leads_to_the_page_of_its_dag_run_whatever_that_is_called(link: Any, page: str) -> None:
    assert link.get_link(SimpleNamespace(), ti_key=TI) == f"{page}{QUERY}"


def test_links_keep_the_prefix_that_airflow_is_served_under(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/team/airflow/")
    framed, alone = (link.get_link(SimpleNamespace(), ti_key=TI) for link in (ReportLink(), CsvLink()))
    assert framed.startswith("/team/airflow/plugin/orchard/team/airflow/orchard/dag-run?show=report&")
    assert alone.startswith("/team/airflow/orchard/dag-run?show=csv&")
