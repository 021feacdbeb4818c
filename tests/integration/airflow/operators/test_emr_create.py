"""One cluster per run, and none left behind by a creation that fails, against the local EMR."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from airflow.exceptions import AirflowException
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout, TaskDeferralError
from botocore.exceptions import ClientError

from orchard.emr.job_flow import lake_clusters, run_job_flow, run_tags
from orchard.settings.settings import Settings
from orchard_airflow.emr_api import find_clusters
from orchard_airflow.operators import create_cluster
from tests.support.airflow.emr_operators import context_of, deferred, event_of, live, lose_answer, refusal

pytestmark = pytest.mark.usefixtures("emr")


def test_a_second_try_attaches_to_the_cluster_of_the_first(create: Callable[..., Any], client: Any) -> None:
    first, second = create(), create()
    found = {first.execute(context_of(first)), second.execute(context_of(second))}
    assert [*found] == live(client)


def test_another_runs_cluster_is_not_attached_to(
    create: Callable[..., Any], cluster_id: str, tags: dict[str, str], settings: Settings
) -> None:
    others = {**tags, "orchard:run": "another"}
    overrides = {**run_job_flow(others, 1, settings), "BootstrapActions": []}
    operator = create(run_tags=others, job_flow_overrides=overrides)
    assert operator.execute(context_of(operator)) != cluster_id


def test_the_cluster_is_known_before_anything_else_can_fail(create: Callable[..., Any], client: Any) -> None:
    operator = create(deferrable=True)
    context = context_of(operator)
    trigger = deferred(operator, context).trigger
    assert context["ti"].xcoms["job_flow_id"] == trigger.job_flow_id
    assert live(client) == [trigger.job_flow_id]


def test_no_cluster_is_asked_for_where_the_guard_refuses(create: Callable[..., Any], client: Any) -> None:
    def refuse(context: Any) -> None:
        raise AirflowFailException("published")

    operator = create(guard=refuse)
    with pytest.raises(AirflowFailException, match="published"):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_any_error_after_the_creation_ends_the_cluster(
    create: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the answer was lost")

    operator = create()
    monkeypatch.setattr(operator, "_describe", fail)
    with pytest.raises(RuntimeError, match="the answer was lost"):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_a_cluster_that_does_not_start_says_why_and_where_its_logs_are(
    create: Callable[..., Any], request_of_cluster: dict[str, Any], client: Any
) -> None:
    action = {"Name": "b", "ScriptBootstrapAction": {"Path": "file:///nowhere/install_node.sh"}}
    operator = create(job_flow_overrides={**request_of_cluster, "BootstrapActions": [action]})
    with pytest.raises(AirflowException) as error:
        operator.execute(context_of(operator))
    assert str(error.value).startswith("Could not start: cluster j-")
    assert "BOOTSTRAP_FAILURE: On the master instance" in str(error.value)
    assert f"Logs: {request_of_cluster['LogUri']}j-" in str(error.value)
    assert live(client) == []


def test_killing_the_task_while_it_is_deferred_ends_the_cluster(
    create: Callable[..., Any], client: Any
) -> None:
    operator = create(deferrable=True)
    trigger = deferred(operator, context_of(operator)).trigger
    asyncio.run(trigger.on_kill())
    assert live(client) == []


def test_a_failed_trigger_ends_the_cluster_though_it_says_nothing_of_it(
    create: Callable[..., Any], client: Any
) -> None:
    operator = create(deferrable=True)
    deferred(operator, context_of(operator))
    resumed = create(deferrable=True)
    with pytest.raises(TaskDeferralError):
        resumed.resume_execution("__fail__", {"error": "Trigger failure"}, context_of(resumed))
    assert live(client) == []


def test_what_is_told_of_a_cluster_of_before_the_task_was_cleared_does_not_end_the_wait(
    create: Callable[..., Any], client: Any
) -> None:
    first, second, resumed = create(deferrable=True), create(deferrable=True), create()
    old = deferred(first, context_of(first)).trigger
    client.terminate_job_flows(JobFlowIds=[old.job_flow_id])
    new = deferred(second, context_of(second)).trigger
    assert resumed.complete(context_of(resumed), event_of(old), new.ids) == new.job_flow_id
    assert live(client) == [new.job_flow_id]


# --- the ceiling


def test_no_cluster_is_created_beside_as_many_as_may_live(
    create: Callable[..., Any], client: Any, settings: Settings
) -> None:
    alive = [run_cluster(client, settings, "orchard_features", "manual__2")]
    alive.insert(0, run_cluster(client, settings, "orchard_second", "manual__1"))
    operator = create()
    with pytest.raises(AirflowFailException) as error:
        operator.execute(context_of(operator))
    message = str(error.value)
    assert message.startswith(f"2 live clusters of this lake: {alive[0]} (orchard_second manual__1-")
    assert f", {alive[1]} (orchard_features manual__2-" in message
    assert "ORCHARD_MAX_CLUSTERS=2. Terminate unneeded ones, or raise the limit" in message
    assert "\n" not in message
    assert live(client) == alive


def test_its_own_cluster_does_not_count(
    create: Callable[..., Any], cluster_id: str, settings: Settings
) -> None:
    operator = create(group=replace(lake_clusters(settings), most=1))
    assert operator.execute(context_of(operator)) == cluster_id


def test_clusters_that_ended_and_those_of_other_lakes_do_not_count(
    create: Callable[..., Any], client: Any, settings: Settings, environ: dict[str, str]
) -> None:
    other = Settings.from_env({**environ, "ORCHARD_LAKE": "file:///another/lake"})
    run_cluster(client, other, "orchard_features", "manual__2")
    ended = run_cluster(client, settings, "orchard_features", "manual__3")
    client.terminate_job_flows(JobFlowIds=[ended])
    operator = create(group=replace(lake_clusters(settings), most=1))
    assert operator.execute(context_of(operator)) in live(client)


def run_cluster(client: Any, settings: Settings, dag_id: str, run_id: str) -> str:
    request = {**run_job_flow(run_tags(dag_id, run_id, settings), 1, settings), "BootstrapActions": []}
    return str(client.run_job_flow(**request)["JobFlowId"])


# --- errors and kills at the worst moment


def test_a_cluster_whose_creation_was_not_answered_is_found(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]]
) -> None:
    faults["run_job_flow"] = [lose_answer]
    operator = create()
    assert [operator.execute(context_of(operator))] == live(client)


@pytest.mark.parametrize("code", ["ThrottlingException", "Throttling", "RequestLimitExceeded"])
def test_a_throttled_creation_is_repeated_in_place(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]], code: str
) -> None:
    faults["run_job_flow"] = [refusal(code), refusal(code)]
    operator = create()
    assert [operator.execute(context_of(operator))] == live(client)


def test_a_creation_that_failed_on_emrs_side_is_repeated_a_few_times(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]]
) -> None:
    faults["run_job_flow"] = [refusal("InternalServerException", 500)] * 9
    operator = create()
    with pytest.raises(ClientError, match="InternalServerException"):
        operator.execute(context_of(operator))
    assert len(faults["run_job_flow"]) == 5
    assert live(client) == []


def test_a_refused_creation_is_not_repeated(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]]
) -> None:
    faults["run_job_flow"] = [refusal("ValidationException")]
    operator = create()
    with pytest.raises(ClientError, match="ValidationException"):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_a_kill_while_the_cluster_is_asked_for_ends_it_as_soon_as_it_is_there(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]]
) -> None:
    operator = create()
    faults["run_job_flow"] = [operator.on_kill]
    with pytest.raises(AirflowException, match="killed while it was creating a cluster"):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_a_cluster_that_is_listed_late_is_ended_though_the_task_has_lost_it(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost because of a time limit, and the first searches show nothing."""

    def interrupt() -> None:
        raise AirflowTaskTimeout()

    looks = iter(range(100))
    monkeypatch.setattr(
        create_cluster,
        "find_clusters",
        lambda *arguments: find_clusters(*arguments) if next(looks) >= 3 else iter(()),
    )
    faults["run_job_flow"] = [interrupt]
    operator = create()
    with pytest.raises(AirflowTaskTimeout):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_a_search_that_fails_leaves_no_cluster_of_an_earlier_try(
    create: Callable[..., Any], cluster_id: str, client: Any, faults: dict[str, list[Any]]
) -> None:
    faults["describe_cluster"] = [refusal("InternalServerException", 500)] * 2
    operator = create()
    with pytest.raises(ClientError):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_a_failure_after_the_task_was_resumed_ends_the_cluster(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]]
) -> None:
    operator = create(deferrable=True)
    trigger = deferred(operator, context_of(operator)).trigger
    event = event_of(trigger)
    faults["describe_cluster"] = [refusal("AccessDeniedException")]
    resumed = create(deferrable=True)
    with pytest.raises(ClientError, match="AccessDenied"):
        resumed.resume_execution("complete", {"event": event, "waited_for": trigger.ids}, context_of(resumed))
    assert live(client) == []
