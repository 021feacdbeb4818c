"""Whoever may write XComs chooses neither the code nor what it runs on: each change is one clear error."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from orchard.lake.layout import Lake
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.lake.storage_files import FileStorage
from orchard.settings.feature_spec import FeatureSpec
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks
from orchard.workflow.trigger_form import params
from orchard.workflow.xcoms import NO_FACTS, read_cluster_facts, read_sensed, validate_base_run
from orchard_jobs.errors import OrchardError

SETTINGS = Settings.from_env(
    {
        "ORCHARD_LAKE": "s3://lake/l",
        "ORCHARD_IMAGES": "s3://in/images",
        "ORCHARD_MODEL": "s3://lake/l/models/0123456789ab",
        "ORCHARD_CODE": "s3://lake/l/code/ba9876543210",
    }
)
PARAMS = RunParams.parse({name: param.value for name, param in params(SETTINGS).items()}, SETTINGS)
SENSED: dict[str, Any] = {
    "listing": "0" * 12,
    "digest": "0" * 64,
    "images": "s3://in/images",
    "model": "s3://lake/l/models/0123456789ab",
    "feature_spec": {"model": "0123456789ab"},
    "code": "s3://lake/l/code/ba9876543210",
    "listed": 3,
    "known": 0,
    "new": 3,
    "retried": 0,
    "deleted": 0,
    "kept": 0,
    "builds_on": None,
    "predecessor": "manual__1-0a0a0a0a",
    "estimate": {"dollars": 1.5},
}
FACTS = {
    "id": "j-1",
    "release": "emr-spark-8.1.0",
    "states": [{"state": "WAITING", "at": "2026-11-22T06:48:26+00:00"}],
    "timeline": {"ReadyDateTime": "2026-11-22T06:48:26+00:00"},
}


def test_what_sense_returned_is_believed() -> None:
    assert read_sensed(SENSED, PARAMS, SETTINGS.places) == SENSED
    assert read_sensed({**SENSED, "listing": None, "digest": None, "new": 0}, PARAMS, SETTINGS.places)


def test_a_deployment_in_the_middle_of_a_run_changes_nothing_of_it() -> None:
    places = replace(
        SETTINGS.places, code="s3://lake/l/code/000000000000", model="s3://lake/l/models/111111111111"
    )
    assert read_sensed(SENSED, PARAMS, places) == SENSED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "s3://evil/code/ba9876543210"}, "code=s3://evil/code/ba9876543210"),
        (
            {"code": "s3://lake/l/code/../runs/r/ba9876543210"},
            "the settings name s3://lake/l/code/ba9876543210",
        ),
        ({"code": "s3://lake/l/code/"}, "the settings name"),
        ({"code": "s3://lake/l/code/mine"}, "the settings name"),
        ({"model": "s3://lake/l/runs/r1"}, "the settings name s3://lake/l/models/0123456789ab"),
        ({"images": "s3://secrets"}, "images=s3://secrets: the run's images are s3://in/images"),
        (
            {"feature_spec": {"model": "m", "precision": "bfloat16"}},
            "precision=bfloat16: the run's precision is",
        ),
        ({"feature_spec": {"model": "m", "decoding": "cubist"}}, "feature_spec="),
        ({"feature_spec": {}}, "feature_spec="),
        ({"builds_on": "../../secrets"}, "they must be run names"),
        ({"predecessor": ".."}, "they must be run names"),
        ({"new": "3"}, "its new: Input should be a valid integer"),
        ({"new": True}, "its new: Input should be a valid integer"),
        ({"new": -1}, "its new: Input should be greater than or equal to 0"),
        ({"images": None}, "its images: Input should be a valid string"),
        ({"digest": 7}, "its digest: Input should be a valid string"),
    ],
)
def test_what_it_cannot_have_returned_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(OrchardError) as refused:
        read_sensed({**SENSED, **change}, PARAMS, SETTINGS.places)
    assert str(refused.value).startswith("the XCom of sense: ")
    assert message in str(refused.value)
    assert "clear sense" in str(refused.value)


@pytest.mark.parametrize("value", [None, "", [], "x", 7, {}, {"images": "s3://in/images"}])
def test_what_is_nothing_like_it_is_refused(value: Any) -> None:
    with pytest.raises(OrchardError, match=r"^the XCom of sense: "):
        read_sensed(value, PARAMS, SETTINGS.places)


def test_a_place_that_no_deployment_made_is_taken_as_it_is_alone() -> None:
    places = replace(SETTINGS.places, code="s3://lake/l/code/mine")
    assert read_sensed({**SENSED, "code": places.code}, PARAMS, places)["code"] == places.code
    with pytest.raises(OrchardError, match="code=s3://lake/l/code/ba9876543210"):
        read_sensed(SENSED, PARAMS, places)


OF_THE_RUN = {"images": "s3://in/images", "spec": FeatureSpec("0123456789ab")}
OLD, OTHER_IMAGES, OTHER_SPEC, NEWEST = (
    PublishedRun("old", **OF_THE_RUN),
    PublishedRun("other-images", "s3://in/others", FeatureSpec("0123456789ab")),
    PublishedRun("other-spec", "s3://in/images", FeatureSpec("another")),
    PublishedRun("newest", **OF_THE_RUN),
)


def index_of(*runs: PublishedRun) -> RunIndex:
    lake = Lake("file:///lake")
    return RunIndex(lake, FileStorage(Path("/lake")), runs, runs[-1].run if runs else None)


PUBLISHED = index_of(OLD, OTHER_IMAGES, OTHER_SPEC, NEWEST)


@pytest.mark.parametrize(
    ("builds_on", "predecessor", "index"),
    [
        ("newest", "newest", PUBLISHED),
        ("old", "other-spec", index_of(OLD, OTHER_IMAGES, OTHER_SPEC)),
        (None, "other-images", index_of(OTHER_IMAGES)),
        (None, None, index_of()),
    ],
)
def test_a_run_continues_the_one_that_it_found(builds_on: Any, predecessor: Any, index: RunIndex) -> None:
    validate_base_run({**SENSED, "builds_on": builds_on, "predecessor": predecessor}, index)


@pytest.mark.parametrize("builds_on", [None, "old", "other-images", "other-spec", "not-published"])
def test_a_run_continues_no_other(builds_on: str | None) -> None:
    changed = {**SENSED, "builds_on": builds_on, "predecessor": "newest"}
    with pytest.raises(OrchardError, match=f"the XCom of sense: builds_on={builds_on}: .* newest"):
        validate_base_run(changed, PUBLISHED)


@pytest.mark.parametrize("builds_on", ["other-images", "other-spec", "not-published"])
def test_nor_does_one_that_says_it_has_not_seen_the_newest(builds_on: str) -> None:
    changed = {**SENSED, "builds_on": builds_on, "predecessor": "old"}
    with pytest.raises(OrchardError, match=f"the XCom of sense: builds_on={builds_on}: "):
        validate_base_run(changed, PUBLISHED)


@pytest.mark.parametrize("do", [lambda run: run.step("reduce"), lambda run: run.publish()])
def test_neither_step_nor_publication_works_on_another_run(
    do: Callable[[RunTasks], Any], settings: Settings
) -> None:
    sensed = {
        **SENSED,
        "images": settings.places.images,
        "model": settings.places.model,
        "code": settings.places.code,
        "builds_on": "somebody-elses",
        "predecessor": None,
    }
    chosen = {name: param.value for name, param in params(settings).items()}
    ti = SimpleNamespace(xcom_pull=lambda task_ids, key=None: sensed if task_ids == "sense" else None)
    with pytest.raises(AirflowFailException, match="the XCom of sense: builds_on=somebody-elses"):
        do(RunTasks("orchard_features", "r", chosen, ti, settings))


def test_what_create_cluster_noted_is_believed_and_nothing_else() -> None:
    assert read_cluster_facts(FACTS) == FACTS
    assert read_cluster_facts({**FACTS, "local": True}) == {**FACTS, "local": True}
    assert read_cluster_facts(None) == NO_FACTS
    for change in (
        {"id": 7},
        {"local": "yes"},
        {"states": "WAITING"},
        {"timeline": [1]},
        {"release": {"a": 1}},
    ):
        with pytest.raises(OrchardError, match=r"^the XCom of create_cluster: its "):
            read_cluster_facts({**FACTS, **change})
