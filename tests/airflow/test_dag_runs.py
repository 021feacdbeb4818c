"""Whole runs of the DAG on the local EMR, with a Spark that only writes what the jobs would."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException
from receivers import webhook

from orchard.events import results
from orchard.form import params
from orchard.lake import Lake
from orchard.run import Run
from orchard.settings import Settings
from orchard.storage import local_path
from orchard_emr_terminate import OrchardTerminateClusterOperator
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

pytestmark = pytest.mark.usefixtures("airflow_db", "emr")


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
        return build_dag(Settings.from_env(environ)).test(run_conf=conf)

    return run_once


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


def test_a_run_above_its_ceiling_fails_before_there_is_a_cluster(
    run: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    clusters = boto3.client("emr").list_clusters()["Clusters"]
    assert states_of(run(cost_ceiling=0.01))["sense"] == "failed"
    assert boto3.client("emr").list_clusters()["Clusters"] == clusters
    shown = capfd.readouterr().out
    assert "the ceiling is 0.01 $ (nothing has been started)" in shown
    assert states_of(run(cost_ceiling=1, core_nodes=2)) == dict.fromkeys(EVERY_TASK, "success")


def test_a_cost_that_nobody_tells_is_no_reason_to_fail(
    run: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("not now")

    add_images(tmp_path, "apple/1.jpg")
    monkeypatch.setattr("orchard.billing.bill", fail)  # which publish asks for
    monkeypatch.setattr(Run, "bill", fail)
    assert states_of(run()) == dict.fromkeys(EVERY_TASK, "success")


def test_a_report_that_cannot_be_made_fails_the_run_but_not_the_publication(
    run: Any, settings: Settings, node: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_images(tmp_path, "apple/1.jpg")
    behave(node, reduce="lose the basis")
    dag_run = run()
    assert states_of(dag_run) == {**dict.fromkeys(EVERY_TASK, "success"), "report": "failed"}
    assert str(dag_run.state) == "failed"
    assert "basis.npz: a published run has one" in capfd.readouterr().out
    assert (local_path(settings.places.lake) / "latest.json").exists()


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


def test_an_empty_folder_of_images_fails_instead_of_being_skipped(run: Any, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    dag_run = run()
    assert states_of(dag_run)["sense"] == "failed"
    assert str(dag_run.state) == "failed"


def test_components_and_variance_together_fail_before_anything_is_listed(run: Any) -> None:
    assert states_of(run(components=3, variance=0.5))["sense"] == "failed"


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


def test_a_run_id_that_no_tag_holds_fails_before_anything_is_listed(settings: Settings) -> None:
    run = Run("orchard_features", "~" * 200, {}, None, settings)
    with pytest.raises(AirflowFailException, match="shorter run id"):
        run.look_for_images()


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
