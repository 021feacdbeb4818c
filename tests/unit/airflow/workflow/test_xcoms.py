"""Whoever may write XComs chooses neither the code nor what it runs on: each change is one clear error."""

from dataclasses import replace
from typing import Any

import pytest

from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard.workflow.trigger_form import params
from orchard.workflow.xcoms import NO_FACTS, read_cluster_facts, read_sensed
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
        ({"images": "s3://secrets"}, "images=s3://secrets: the run is of s3://in/images"),
        (
            {"feature_spec": {"model": "m", "precision": "bfloat16"}},
            "precision=bfloat16: the run has",
        ),
        ({"feature_spec": {"model": "m", "decoding": "cubist"}}, "feature_spec="),
        ({"feature_spec": {}}, "feature_spec="),
        ({"builds_on": "../../secrets"}, "they are names of runs"),
        ({"predecessor": ".."}, "they are names of runs"),
        ({"new": "3"}, "its new: Input should be a valid integer"),
        ({"new": True}, "its new: Input should be a valid integer"),
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


def test_what_create_cluster_noted_is_believed_and_nothing_else() -> None:
    assert read_cluster_facts(FACTS) == FACTS
    assert read_cluster_facts(None) == NO_FACTS
    for change in ({"id": 7}, {"states": "WAITING"}, {"timeline": [1]}, {"release": {"a": 1}}):
        with pytest.raises(OrchardError, match=r"^the XCom of create_cluster: its "):
            read_cluster_facts({**FACTS, **change})
