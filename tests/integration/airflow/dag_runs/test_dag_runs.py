"""Nights of the DAG on the local EMR, with a Spark that only writes what the jobs would."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException

from orchard.form import params
from orchard.lake import Lake
from orchard.run import Run
from orchard.settings import Settings
from orchard.storage import local_path
from orchard_features import build_dag
from tests.support.airflow.dag_runs import EVERY_TASK, add_images, live_clusters, states_of

pytestmark = pytest.mark.usefixtures("airflow_db", "emr")


def test_new_images_are_published_and_the_cluster_is_terminated(
    run: Any, settings: Settings, tmp_path: Path
) -> None:
    add_images(tmp_path, "apple/1.jpg", "pear/2 é.jpg")
    dag_run = run()
    assert states_of(dag_run) == dict.fromkeys(EVERY_TASK, "success")
    latest = json.loads((local_path(settings.places.lake) / "latest.json").read_text())
    assert [run["run"] for run in latest["runs"]] == [latest["run"]]
    summary = json.loads(local_path(latest["run_json"]).read_text())
    assert summary["counts"] == {"listed": 2, "featurized": 2, "rejected": 0, "known": 0, "deleted": 0}
    cluster = summary["cluster"]
    assert list(cluster) == ["id", "release", "states", "timeline"]
    assert cluster["states"][-1]["state"] in ("RUNNING", "WAITING")
    assert set(cluster["timeline"]) == {"CreationDateTime", "ReadyDateTime"}
    page = local_path(Lake(settings.places.lake).run(latest["run"]).page).read_text()
    assert "2 listed = <strong>2</strong> featurized" in page
    assert live_clusters() == []


def test_a_run_says_what_it_was_going_to_cost_and_what_it_has_cost(
    run: Any, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By us-east-1's prices, where these tests are: a primary and, for two images, one core node."""
    add_images(tmp_path, "apple/1.jpg", "apple/2.jpg")
    run()
    latest = json.loads((local_path(settings.places.lake) / "latest.json").read_text())
    summary = json.loads(local_path(latest["run_json"]).read_text())
    estimate, so_far = summary["estimate"], summary["cost"]
    assert (estimate["images"], estimate["core_nodes"], estimate["unknown"]) == (2, 1, [])
    assert estimate["dollars"] == pytest.approx(2 * 0.2016 * 1.25 * estimate["seconds"] / 3600, abs=1e-4)
    assert (so_far["instances"], so_far["region"]) == (2, "us-east-1")
    assert so_far["per_1000_images"] == pytest.approx(so_far["dollars"] * 500)
    final = json.loads(local_path(latest["run_json"]).with_name("cost.json").read_text())
    assert final["instance_seconds"] >= so_far["instance_seconds"] >= 2 * 60
    assert "Estimate: 2 new images: about 11 minutes on 1 primary, 1 core and 0 task nodes" in caplog.text
    assert "Cost: 2 instances for" in caplog.text


def test_a_night_without_new_images_is_skipped_and_creates_no_cluster(run: Any, tmp_path: Path) -> None:
    add_images(tmp_path, "apple/1.jpg")
    run()
    clusters_before = boto3.client("emr").list_clusters()["Clusters"]
    dag_run = run()
    assert states_of(dag_run) == dict.fromkeys(EVERY_TASK, "skipped")
    assert str(dag_run.state) == "success"
    assert boto3.client("emr").list_clusters()["Clusters"] == clusters_before


def test_the_next_run_takes_only_what_is_new_and_builds_on_the_first(
    run: Any, settings: Settings, tmp_path: Path
) -> None:
    add_images(tmp_path, "apple/1.jpg", "apple/2.jpg")
    run()
    add_images(tmp_path, "apple/3.jpg")
    run(variance=None, components=2)
    latest = json.loads((local_path(settings.places.lake) / "latest.json").read_text())
    summary = json.loads(local_path(latest["run_json"]).read_text())
    assert summary["counts"] == {"listed": 3, "featurized": 1, "rejected": 0, "known": 2, "deleted": 0}
    assert summary["builds_on"] == latest["runs"][0]["run"]
    assert (summary["components"], summary["rows"]) == (2, 3)


def test_a_changed_image_is_computed_again_and_a_deleted_one_leaves_the_next_result(
    run: Any, settings: Settings, tmp_path: Path
) -> None:
    add_images(tmp_path, "apple/1.jpg", "apple/2.jpg", "apple/3.jpg")
    run()
    (tmp_path / "images" / "apple" / "1.jpg").write_bytes(b"another image")
    (tmp_path / "images" / "apple" / "2.jpg").unlink()
    run(basis="reuse")
    latest = json.loads((local_path(settings.places.lake) / "latest.json").read_text())
    summary = json.loads(local_path(latest["run_json"]).read_text())
    assert summary["counts"] == {"listed": 2, "featurized": 1, "rejected": 0, "known": 1, "deleted": 1}
    assert summary["rows"] == 2


def test_a_run_that_is_taken_back_is_as_if_it_had_not_been(
    run: Any, settings: Settings, tmp_path: Path
) -> None:
    latest_json = local_path(settings.places.lake) / "latest.json"
    add_images(tmp_path, "apple/1.jpg")
    run()
    before = latest_json.read_text()
    add_images(tmp_path, "apple/2.jpg")
    run()
    latest_json.write_text(before)
    add_images(tmp_path, "apple/3.jpg")
    run()
    latest = json.loads(latest_json.read_text())
    summary = json.loads(local_path(latest["run_json"]).read_text())
    assert summary["counts"] == {"listed": 3, "featurized": 2, "rejected": 0, "known": 1, "deleted": 0}
    assert summary["builds_on"] == json.loads(before)["run"]
    assert [run["run"] for run in latest["runs"]] == [json.loads(before)["run"], latest["run"]]


def test_a_night_in_which_images_were_only_deleted_is_skipped(run: Any, tmp_path: Path) -> None:
    add_images(tmp_path, "apple/1.jpg", "apple/2.jpg")
    run()
    (tmp_path / "images" / "apple" / "2.jpg").unlink()
    assert states_of(run()) == dict.fromkeys(EVERY_TASK, "skipped")


def test_a_published_run_computes_nothing_again_but_may_publish_again(
    run: Any, settings: Settings, tmp_path: Path
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    dag_run = run()
    clusters = boto3.client("emr").list_clusters()["Clusters"]
    written = content_of(local_path(settings.places.lake))
    dag = build_dag(settings)
    context = {
        "dag": dag,
        "run_id": dag_run.run_id,
        "params": {name: param.resolve() for name, param in params(settings).items()},
        "ti": SimpleNamespace(xcom_pull=lambda **_: None),
    }
    again = Run.of_context(context, settings)
    guards = {task.task_id: task.guard for task in dag.tasks if hasattr(task, "guard")}
    assert set(guards) == {"create_cluster", "featurize", "reduce", "export"}
    for refused in (lambda _: again.look_for_images(), *guards.values()):
        with pytest.raises(AirflowFailException, match=r"names it: .* never rewritten\. trigger a new run"):
            refused(context)
    again.publish()
    again.report()
    assert content_of(local_path(settings.places.lake)) == written
    assert boto3.client("emr").list_clusters()["Clusters"] == clusters


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
