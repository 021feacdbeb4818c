"""Runs of the DAG that fail: what is published, what is left, and what is said."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException

from orchard.lake.objects import local_path
from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks
from orchard_airflow.operators.terminate_cluster import OrchardTerminateClusterOperator
from tests.support.airflow.dag_runs import EVERY_TASK, add_images, behave, live_clusters, states_of

pytestmark = pytest.mark.usefixtures("airflow_db", "emr")


def test_a_run_above_its_ceiling_fails_before_there_is_a_cluster(
    run: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    clusters = boto3.client("emr").list_clusters()["Clusters"]
    assert states_of(run(cost_ceiling=0.01))["sense"] == "failed"
    assert boto3.client("emr").list_clusters()["Clusters"] == clusters
    shown = capfd.readouterr().out
    assert "the ceiling is 0.01 $ (no cluster was created)" in shown


def test_a_run_by_hand_computes_images_again_only_where_it_is_asked_to(
    run: Any, settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg", "apple/2.jpg")
    run()
    latest = local_path(settings.places.lake) / "latest.json"
    before, clusters = latest.read_text(), boto3.client("emr").list_clusters()["Clusters"]
    assert states_of(run(precision="bfloat16"))["sense"] == "failed"
    assert boto3.client("emr").list_clusters()["Clusters"] == clusters
    assert latest.read_text() == before
    shown = capfd.readouterr().out
    assert "different features: precision float32 → bfloat16. All 2 images are computed again" in shown
    assert "a manual run replaces them only if 'Compute images again' (recompute) is set" in shown
    assert states_of(run(precision="bfloat16", recompute=True)) == dict.fromkeys(EVERY_TASK, "success")
    summary = json.loads(local_path(json.loads(latest.read_text())["run_json"]).read_text())
    assert (summary["precision"], summary["counts"]["featurized"]) == ("bfloat16", 2)


def test_a_cost_that_nobody_tells_is_no_reason_to_fail(
    run: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("not now")

    add_images(tmp_path, "apple/1.jpg")
    monkeypatch.setattr("orchard.emr.actual_cost.bill", fail)  # which publish asks for
    monkeypatch.setattr(RunTasks, "bill", fail)
    assert states_of(run()) == dict.fromkeys(EVERY_TASK, "success")


def test_a_report_that_cannot_be_made_fails_the_run_but_not_the_publication(
    run: Any, settings: Settings, node: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    behave(node, reduce="lose the components")
    dag_run = run()
    assert states_of(dag_run) == {**dict.fromkeys(EVERY_TASK, "success"), "report": "failed"}
    assert str(dag_run.state) == "failed"
    assert "components: a published run has some" in capfd.readouterr().out
    assert (local_path(settings.places.lake) / "latest.json").exists()


def test_an_empty_folder_of_images_fails_instead_of_being_skipped(run: Any, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    dag_run = run()
    assert states_of(dag_run)["sense"] == "failed"
    assert str(dag_run.state) == "failed"


def test_components_and_variance_together_fail_before_anything_is_listed(run: Any) -> None:
    assert states_of(run(components=3, variance=0.5))["sense"] == "failed"


def test_a_run_id_that_no_tag_holds_fails_before_anything_is_listed(settings: Settings) -> None:
    run = RunTasks("orchard_features", "~" * 200, {}, None, settings)
    with pytest.raises(AirflowFailException, match="shorter run id"):
        run.sense()


@pytest.mark.parametrize("how", ["fail", "killed"])
def test_a_failed_step_publishes_nothing_and_leaves_no_cluster(
    how: str, run: Any, node: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    behave(node, reduce=how)
    dag_run = run()
    assert states_of(dag_run) == {
        **dict.fromkeys(EVERY_TASK, "success"),
        "reduce": "failed",
        "export": "upstream_failed",
        "publish": "upstream_failed",
        "compact": "upstream_failed",
        "report": "upstream_failed",
    }
    assert str(dag_run.state) == "failed"
    shown = capfd.readouterr().out
    assert "fake driver of reduce" in shown
    assert ("the job's own last words" in shown) == (how == "fail")
    assert not (tmp_path / "a lake" / "ledger").exists()
    assert not (tmp_path / "a lake" / "latest.json").exists()
    assert live_clusters() == []


def test_a_cluster_that_cannot_be_ended_fails_the_run_but_not_the_publication(
    run: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("not allowed to end it")

    add_images(tmp_path, "apple/1.jpg")
    monkeypatch.setattr(OrchardTerminateClusterOperator, "execute", refuse)
    dag_run = run()
    for cluster_id in live_clusters():
        boto3.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    assert states_of(dag_run) == {**dict.fromkeys(EVERY_TASK, "success"), "terminate_cluster": "failed"}
    assert str(dag_run.state) == "failed"
    assert (local_path(settings.places.lake) / "latest.json").exists()


def test_a_step_that_takes_too_long_is_cancelled(
    run: Any, environ: dict[str, str], node: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    environ["ORCHARD_STEP_TIMEOUT"] = "2"
    behave(node, featurize="hang")
    assert states_of(run())["featurize"] == "failed"
    assert "Cancelled after 2 s" in capfd.readouterr().out
    assert live_clusters() == []


def test_a_failed_bootstrap_action_shows_its_reason(
    run: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    (tmp_path / "a lake" / "code" / "install_node.sh").write_text("exit 3\n")
    dag_run = run()
    assert states_of(dag_run)["create_cluster"] == "failed"
    assert str(dag_run.state) == "failed"
    assert "BOOTSTRAP_FAILURE" in capfd.readouterr().out
    assert live_clusters() == []


def test_a_missing_model_fails_before_there_is_a_cluster(run: Any, tmp_path: Path) -> None:
    add_images(tmp_path, "apple/1.jpg")
    (tmp_path / "a lake" / "models" / "m" / "card.json").unlink()
    assert states_of(run())["sense"] == "failed"
    assert live_clusters() == []
