"""Who is told of a run of the DAG: other DAGs, and people."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchard.settings.settings import Settings
from tests.support.airflow.dag_runs import add_images, events_of, states_of
from tests.support.airflow.notification_servers import webhook

pytestmark = pytest.mark.usefixtures("airflow_db", "emr")


@pytest.fixture
def known_lake(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow takes events only of assets that are in the DAG as it finds that in its folder."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_no_dag_is_told_of_a_run_that_could_not_be_published(
    run: Any, known_lake: None, settings: Settings, tmp_path: Path
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    (tmp_path / "a lake" / "ledger").write_text("in the way of the ledger's folder")
    assert states_of(run())["publish"] == "failed"
    assert events_of(settings.places.lake) == []


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
    assert "The run is published, but 1 of 2 new images (50.0%) were rejected: 1 corrupt." in text
