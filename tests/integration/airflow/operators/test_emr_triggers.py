"""Triggers wait until a state or a time, whatever EMR answers, and survive a restart of the triggerer."""

import time
from typing import Any

import pytest
from airflow._shared.module_loading import import_string  # as the triggerer does it

from orchard_airflow.triggers import EmrClusterEndTrigger, EmrClusterStartTrigger, EmrStepTrigger
from tests.support.airflow.emr_operators import event_of

HOOK = {"aws_conn_id": None, "region_name": None, "verify": None, "config": {"retries": {"max_attempts": 1}}}
ARGUMENTS = {
    "job_flow_id": "j-1",
    "until": ["RUNNING", "WAITING"],
    "deadline": 1.5,
    "poll_interval": 30,
    "hook_parameters": HOOK,
}


@pytest.mark.parametrize(
    ("trigger", "serialized"),
    [
        (EmrClusterStartTrigger(**ARGUMENTS), ("orchard_airflow.triggers.EmrClusterStartTrigger", ARGUMENTS)),
        (EmrClusterEndTrigger(**ARGUMENTS), ("orchard_airflow.triggers.EmrClusterEndTrigger", ARGUMENTS)),
        (
            EmrStepTrigger(step_id="s-1", **ARGUMENTS),
            ("orchard_airflow.triggers.EmrStepTrigger", {**ARGUMENTS, "step_id": "s-1", "metrics_uri": None}),
        ),
    ],
)
def test_a_trigger_survives_its_serialization(trigger: Any, serialized: tuple[str, dict[str, Any]]) -> None:
    assert trigger.serialize() == serialized
    assert type(trigger)(**serialized[1]).serialize() == serialized


@pytest.mark.parametrize("trigger", [EmrClusterStartTrigger, EmrClusterEndTrigger, EmrStepTrigger])
def test_a_task_that_was_deferred_before_the_package_was_made_finds_its_trigger(trigger: type) -> None:
    assert import_string(f"orchard_emr_triggers.{trigger.__name__}") is trigger


@pytest.mark.parametrize("left", [60.0, -60.0])
def test_a_trigger_fires_no_sooner_than_its_first_look_also_where_the_time_is_over(
    left: float, cluster_id: str
) -> None:
    """Or Airflow would fail the task, whose process it has not seen ending."""
    deadline = time.time() + left
    trigger = EmrClusterStartTrigger(
        **{**ARGUMENTS, "job_flow_id": cluster_id, "deadline": deadline, "poll_interval": 0.7}
    )
    began = time.monotonic()
    assert event_of(trigger)["state"] == "WAITING"
    assert time.monotonic() - began >= 0.7


def test_a_trigger_ends_at_its_deadline(cluster_id: str) -> None:
    changes = {"until": ["TERMINATED"], "deadline": time.time() + 0.5, "poll_interval": 0.2}
    trigger = EmrClusterEndTrigger(**{**ARGUMENTS, "job_flow_id": cluster_id, **changes})
    event = event_of(trigger)
    assert (event["state"], event["job_flow_id"]) == ("TIMED_OUT", cluster_id)
    assert [seen["state"] for seen in event["seen"]] == ["WAITING"]


def test_a_trigger_outlives_an_api_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", "http://127.0.0.1:9")
    trigger = EmrClusterEndTrigger(**{**ARGUMENTS, "deadline": time.time() + 1, "poll_interval": 0.1})
    assert event_of(trigger) == {"state": "TIMED_OUT", "seen": [], "job_flow_id": "j-1"}


def test_a_trigger_gives_up_where_asking_again_is_in_vain(emr: str) -> None:
    trigger = EmrClusterEndTrigger(**{**ARGUMENTS, "job_flow_id": "j-NOSUCHCLUSTER", "poll_interval": 0.1})
    with pytest.raises(Exception, match="InvalidRequestException"):
        event_of(trigger)
