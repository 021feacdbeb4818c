"""Who is told of a run of the DAG: other DAGs, and people."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchard.events import results
from orchard.settings import Settings
from orchard.storage import local_path
from tests.support.airflow.dag_runs import add_images, states_of
from tests.support.airflow.notification_servers import webhook

pytestmark = pytest.mark.usefixtures("airflow_db", "emr")


def events_of(settings: Settings) -> list[dict[str, Any]]:
    """What other DAGs have been told of the lake's results."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        of_lake = events.filter(AssetModel.uri == results(settings.places.lake).uri)
        return [event.extra for event in of_lake]


@pytest.fixture
def known_lake(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow takes events only of assets that are in the DAG as it finds that in its folder."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_other_dags_are_told_of_a_published_run_and_not_of_a_skipped_one(
    run: Any, known_lake: None, settings: Settings, tmp_path: Path
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    run()
    assert states_of(run())["publish"] == "skipped"
    latest = json.loads((local_path(settings.places.lake) / "latest.json").read_text())
    told = {"run": latest["run"], "csv": latest["csv"], "rows": 1, "basis_id": "basis-1"}
    assert events_of(settings) == [told]


def test_no_dag_is_told_of_a_run_that_could_not_be_published(
    run: Any, known_lake: None, settings: Settings, tmp_path: Path
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    (tmp_path / "a lake" / "ledger").write_text("in the way of the ledger's folder")
    assert states_of(run())["publish"] == "failed"
    assert events_of(settings) == []


def test_a_run_that_rejects_many_images_is_published_and_told(
    run: Any, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_images(tmp_path, "apple/1.jpg", "apple/corrupt.jpg")
    with webhook() as (url, told):
        monkeypatch.setenv("AIRFLOW_CONN_TELL", json.dumps({"conn_type": "http", "host": url}))
        environ["ORCHARD_NOTIFY_CONN_ID"] = "tell"
        dag_run = run(max_failure_ratio=0.9)
    assert states_of(dag_run)["publish"] == "success"
    (text,) = [message["text"] for message in told]
    assert "It is published, but 1 of 2 new images (50.0%) were rejected: 1 corrupt." in text
