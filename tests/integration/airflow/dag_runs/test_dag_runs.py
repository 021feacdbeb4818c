"""Nights of the DAG on the local EMR, with a Spark that only writes what the jobs would.

Most tests look at one lake, in which night follows night: a run takes seconds.
"""

import io
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException

from orchard.lake.layout import Lake
from orchard.lake.objects import local_path
from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks
from orchard.workflow.trigger_form import params
from orchard_features import build_dag
from tests.support.airflow.dag_runs import (
    EVERY_TASK,
    add_images,
    events_of,
    live_clusters,
    prepare_lake,
    run_quickly,
    states_of,
)
from tests.support.airflow.orchard_settings import environ_of

pytestmark = pytest.mark.usefixtures("airflow_db", "emr")


@dataclass(frozen=True)
class Night:
    """What was to be seen after one run of the DAG, which has said ``log``."""

    dag_run: Any
    log: str
    latest: dict[str, Any]
    summary: dict[str, Any]
    clusters: list[str]
    live: list[str]
    told: list[dict[str, Any]]

    @property
    def states(self) -> dict[str, str]:
        return states_of(self.dag_run)


@dataclass(frozen=True)
class Nights:
    """One lake, night after night."""

    settings: Settings
    first: Night
    nothing_new: Night
    one_new: Night
    changed_and_deleted: Night
    only_deleted: Night
    other_components: Night

    @property
    def lake(self) -> Path:
        return local_path(self.settings.places.lake)


@pytest.fixture(scope="module")
def nights(airflow_db: None, emr: str, node: Path, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Night after night: two images; the same; one more; one changed and one deleted; one deleted; and, by
    hand, other components.
    """
    folder = tmp_path_factory.mktemp("nights")
    environ = {**environ_of(folder), "ORCHARD_NODE_ENV": str(node.parent)}
    prepare_lake(folder, node)
    settings = Settings.from_env(environ)
    with pytest.MonkeyPatch.context() as patch:
        # Airflow takes events only of assets that are in the DAG as it finds that in its folder.
        for name, value in environ.items():
            patch.setenv(name, value)
        add_images(folder, "apple/1.jpg", "pear/2 é.jpg")
        first = have_night(settings, components=2)
        nothing_new = have_night(settings, components=2)
        add_images(folder, "apple/3.jpg")
        one_new = have_night(settings, variance=None, components=2, cost_ceiling=1, core_nodes=2)
        (folder / "images" / "apple" / "1.jpg").write_bytes(b"another image")
        (folder / "images" / "pear" / "2 é.jpg").unlink()
        changed_and_deleted = have_night(settings, basis="reuse")
        (folder / "images" / "apple" / "3.jpg").unlink()
        with patch.context() as scheduled:
            scheduled.setattr("orchard.workflow.tasks.BY_HAND", ())  # dag.test makes runs by hand alone
            only_deleted = have_night(settings, basis="refit", components=1)
        other_components = have_night(settings, basis="refit", components=1)
    nights = (first, nothing_new, one_new, changed_and_deleted, only_deleted, other_components)
    return Nights(settings, *nights)


def have_night(settings: Settings, **conf: Any) -> Night:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    try:
        dag_run = run_quickly(build_dag(settings), run_conf=conf)
    finally:
        logging.getLogger().removeHandler(handler)
    latest = json.loads((local_path(settings.places.lake) / "latest.json").read_text())
    summary = json.loads(local_path(latest["run_json"]).read_text())
    clusters = [cluster["Id"] for cluster in boto3.client("emr").list_clusters()["Clusters"]]
    return Night(
        dag_run, said.getvalue(), latest, summary, clusters, live_clusters(), events_of(settings.places.lake)
    )


def test_new_images_are_published_and_the_cluster_is_terminated(nights: Nights) -> None:
    night, summary = nights.first, nights.first.summary
    assert night.states == dict.fromkeys(EVERY_TASK, "success")
    assert [run["run"] for run in night.latest["runs"]] == [night.latest["run"]]
    assert summary["counts"] == {"listed": 2, "featurized": 2, "rejected": 0, "known": 0, "deleted": 0}
    cluster = summary["cluster"]
    assert list(cluster) == ["id", "release", "states", "timeline", "local"]
    assert cluster["local"] is True
    assert cluster["states"][-1]["state"] in ("RUNNING", "WAITING")
    assert set(cluster["timeline"]) == {"CreationDateTime", "ReadyDateTime"}
    page = local_path(Lake(nights.settings.places.lake).run(night.latest["run"]).page).read_text()
    assert "2 listed = <strong>2</strong> featurized" in page
    assert night.live == []


def test_a_run_says_what_it_was_going_to_cost_and_what_it_has_cost(nights: Nights) -> None:
    """By us-east-1's prices, where these tests are: a primary and, for two images, one core node."""
    night, summary = nights.first, nights.first.summary
    estimate, so_far = summary["estimate"], summary["cost"]
    assert (estimate["images"], estimate["core_nodes"], estimate["unknown"]) == (2, 1, [])
    assert estimate["dollars"] == pytest.approx(2 * 0.2016 * 1.25 * estimate["seconds"] / 3600, abs=1e-4)
    assert (so_far["instances"], so_far["region"]) == (2, "us-east-1")
    assert so_far["per_1000_images"] == pytest.approx(so_far["dollars"] * 500)
    final = json.loads(local_path(night.latest["run_json"]).with_name("cost.json").read_text())
    assert final["instance_seconds"] >= so_far["instance_seconds"] >= 2 * 60
    assert "Estimate: 2 new images: about 11 minutes on 1 primary, 1 core and 0 task nodes" in night.log
    assert "Local EMR; AWS would have cost: 2 instances for" in night.log


def test_a_night_without_new_images_is_skipped_and_creates_no_cluster(nights: Nights) -> None:
    assert nights.nothing_new.states == dict.fromkeys(EVERY_TASK, "skipped")
    assert str(nights.nothing_new.dag_run.state) == "success"
    assert nights.nothing_new.clusters == nights.first.clusters


def test_other_dags_are_told_of_a_published_run_and_not_of_a_skipped_one(nights: Nights) -> None:
    latest = nights.first.latest
    told = {"run": latest["run"], "csv": latest["csv"], "rows": 2, "basis_id": latest["basis_id"]}
    assert nights.first.told == nights.nothing_new.told == [told]


def test_the_next_run_takes_only_what_is_new_and_builds_on_the_first(nights: Nights) -> None:
    summary = nights.one_new.summary
    assert summary["counts"] == {"listed": 3, "featurized": 1, "rejected": 0, "known": 2, "deleted": 0}
    assert summary["builds_on"] == nights.first.latest["run"] == nights.one_new.latest["runs"][0]["run"]
    assert (summary["components"], summary["rows"]) == (2, 3)


def test_a_run_below_its_ceiling_succeeds(nights: Nights) -> None:
    assert nights.one_new.states == dict.fromkeys(EVERY_TASK, "success")


def test_a_changed_image_is_computed_again_and_a_deleted_one_leaves_the_next_result(nights: Nights) -> None:
    summary = nights.changed_and_deleted.summary
    assert nights.changed_and_deleted.states == dict.fromkeys(EVERY_TASK, "success")
    assert summary["counts"] == {"listed": 2, "featurized": 1, "rejected": 0, "known": 1, "deleted": 1}
    assert summary["rows"] == 2


def test_a_night_in_which_images_were_only_deleted_is_skipped(nights: Nights) -> None:
    assert nights.only_deleted.states == dict.fromkeys(EVERY_TASK, "skipped")
    assert "Not applied: components=1, where the newest result has 2 components" in nights.only_deleted.log
    assert "There are no new images; trigger a manual run to refit" in nights.only_deleted.log


def test_a_run_by_hand_gives_known_images_other_components(nights: Nights) -> None:
    night, summary = nights.other_components, nights.other_components.summary
    assert night.states == dict.fromkeys(EVERY_TASK, "success")
    assert night.latest["run"] not in [run["run"] for run in nights.only_deleted.latest["runs"]]
    assert summary["counts"] == {"listed": 1, "featurized": 0, "rejected": 0, "known": 1, "deleted": 1}
    assert (summary["rows"], summary["builds_on"]) == (1, nights.changed_and_deleted.latest["run"])
    assert "refitting the components on the stored statistics for components=1, where" in night.log
    assert "Estimate: 0 new images: about" in night.log
    assert summary["cost"]["per_1000_images"] is None
    page = local_path(Lake(nights.settings.places.lake).run(night.latest["run"]).page).read_text()
    assert "1 listed = <strong>0</strong> featurized" in page


def test_a_published_run_computes_nothing_again_but_may_publish_again(nights: Nights) -> None:
    settings, dag_run = nights.settings, nights.other_components.dag_run
    clusters = boto3.client("emr").list_clusters()["Clusters"]
    written = content_of(nights.lake)
    dag = build_dag(settings)
    context = {
        "dag": dag,
        "run_id": dag_run.run_id,
        "params": {name: param.resolve() for name, param in params(settings).items()},
        "ti": SimpleNamespace(xcom_pull=lambda **_: None),
        "dag_run": dag_run,
    }
    again = RunTasks.from_context(context, settings)
    guards = {task.task_id: task.guard for task in dag.tasks if hasattr(task, "guard")}
    assert set(guards) == {"create_cluster", "featurize", "reduce", "export"}
    for refused in (lambda _: again.sense(), *guards.values()):
        with pytest.raises(AirflowFailException, match=r"names it: .* never rewritten\. Trigger a new run"):
            refused(context)
    again.publish()
    again.report()
    assert content_of(nights.lake) == written
    assert boto3.client("emr").list_clusters()["Clusters"] == clusters


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


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
