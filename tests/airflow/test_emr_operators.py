"""The operators and triggers against the local EMR: nothing is created twice, nothing is left behind."""

import asyncio
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.exceptions import AirflowException
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferred,
)
from botocore.exceptions import ClientError, ConnectionClosedError

import orchard_emr_api
from orchard.cluster import cluster_name, run_job_flow, run_tags
from orchard.settings import Settings
from orchard_emr_api import find_clusters
from orchard_emr_create import OrchardCreateClusterOperator
from orchard_emr_once import send_once
from orchard_emr_step import OrchardStepOperator
from orchard_emr_terminate import OrchardTerminateClusterOperator
from orchard_emr_triggers import EmrClusterEndTrigger, EmrClusterStartTrigger, EmrStepTrigger

pytestmark = pytest.mark.usefixtures("emr")

HOOK = {"aws_conn_id": None, "region_name": None, "verify": None, "config": {"retries": {"max_attempts": 1}}}


class TaskInstance:
    """What the operators ask of Airflow's."""

    def __init__(self, operator: Any, cleared_after: int) -> None:
        self.task = SimpleNamespace(retries=2)
        self.max_tries = cleared_after + 2
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def context_of(operator: Any, cleared_after: int = 0) -> Any:
    return {"ti": TaskInstance(operator, cleared_after)}


@pytest.fixture
def client(emr: str) -> Any:
    return boto3.client("emr")


@pytest.fixture
def tags(settings: Settings) -> dict[str, str]:
    return run_tags("orchard_features", "manual__1", settings)


@pytest.fixture
def request_of_cluster(tags: dict[str, str], settings: Settings) -> dict[str, Any]:
    return {**run_job_flow(tags, 1, settings), "BootstrapActions": []}


@pytest.fixture
def create(
    tags: dict[str, str], request_of_cluster: dict[str, Any], client: Any
) -> Iterator[Callable[..., Any]]:
    def make(**changes: Any) -> OrchardCreateClusterOperator:
        arguments = {
            "task_id": "create_cluster",
            "job_flow_overrides": request_of_cluster,
            "run_tags": tags,
            "start_timeout": 30,
            "poll_interval": 0.2,
            "aws_conn_id": None,
        }
        return OrchardCreateClusterOperator(**{**arguments, **changes})

    yield make
    for cluster_id in live(client):
        client.terminate_job_flows(JobFlowIds=[cluster_id])


@pytest.fixture
def cluster_id(create: Callable[..., Any]) -> str:
    operator = create()
    return str(operator.execute(context_of(operator)))


@pytest.fixture
def step(cluster_id: str) -> Callable[..., OrchardStepOperator]:
    def make(script: str, **changes: Any) -> OrchardStepOperator:
        jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", script]}
        arguments = {
            "task_id": "featurize",
            "job_flow_id": cluster_id,
            "steps": [{"Name": "featurize r", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}],
            "step_timeout": 30,
            "poll_interval": 0.2,
            "log_timeout": 5,
            "aws_conn_id": None,
        }
        return OrchardStepOperator(**{**arguments, **changes})

    return make


def live(client: Any) -> list[str]:
    states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    return [cluster["Id"] for cluster in client.list_clusters(ClusterStates=states)["Clusters"]]


def steps_of(client: Any, cluster_id: str) -> list[tuple[str, str]]:
    """Names and states, oldest first."""
    steps = client.list_steps(ClusterId=cluster_id)["Steps"]
    return [(step["Name"], step["Status"]["State"]) for step in reversed(steps)]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def deferred(operator: Any, context: Any) -> Any:
    with pytest.raises(TaskDeferred) as raised:
        operator.execute(context)
    return raised.value


# --- create


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


# --- steps


def test_a_retry_attaches_to_the_step_of_the_first_try(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("sleep 1", deferrable=True), step("sleep 1")
    deferred(first, context_of(first))
    second.execute(context_of(second))
    assert steps_of(client, cluster_id) == [("featurize r #0", "COMPLETED")]


def test_a_retry_after_a_failure_adds_the_step_again(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("exit 1"), step("exit 0")
    with pytest.raises(AirflowException):
        first.execute(context_of(first))
    second.execute(context_of(second))
    assert steps_of(client, cluster_id) == [("featurize r #0", "FAILED"), ("featurize r #0", "COMPLETED")]


def test_a_cleared_task_cancels_what_is_left_and_runs_the_step_again(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("sleep 60", deferrable=True), step("exit 0")
    deferred(first, context_of(first))
    second.execute(context_of(second, cleared_after=1))
    assert steps_of(client, cluster_id) == [("featurize r #0", "CANCELLED"), ("featurize r #1", "COMPLETED")]


def test_a_failed_step_shows_its_own_last_lines(step: Callable[..., Any]) -> None:
    operator = step("for n in {1..100}; do echo line $n >&2; done; echo Python spoke; kill -9 $$")
    with pytest.raises(AirflowException) as error:
        operator.execute(context_of(operator))
    message = str(error.value)
    assert message.startswith(f"step {operator._step_id} (featurize r #0) is FAILED: Unknown Error.")
    assert message.splitlines()[-63:] == [
        "The last lines of its stderr:",
        *(f"line {n}" for n in range(41, 101)),
        "The last lines of its stdout:",
        "Python spoke",
    ]


def test_killing_the_task_cancels_the_step(step: Callable[..., Any], cluster_id: str, client: Any) -> None:
    operator = step("sleep 60", deferrable=True)
    deferred(operator, context_of(operator))
    operator.on_kill()
    wait_until(lambda: steps_of(client, cluster_id) == [("featurize r #0", "CANCELLED")])


def test_killing_the_task_while_it_is_deferred_cancels_the_step(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    operator = step("sleep 60", deferrable=True)
    trigger = deferred(operator, context_of(operator)).trigger
    asyncio.run(trigger.on_kill())
    wait_until(lambda: steps_of(client, cluster_id) == [("featurize r #0", "CANCELLED")])


def test_a_failed_trigger_cancels_the_step(step: Callable[..., Any], cluster_id: str, client: Any) -> None:
    operator = step("sleep 60", deferrable=True)
    deferred(operator, context_of(operator))
    resumed = step("sleep 60")
    with pytest.raises(TaskDeferralError):
        resumed.resume_execution("__fail__", {"error": "Trigger failure"}, context_of(resumed))
    wait_until(lambda: steps_of(client, cluster_id) == [("featurize r #0", "CANCELLED")])


def test_a_step_on_a_cluster_that_has_ended_fails_for_good_with_the_reason(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    client.terminate_job_flows(JobFlowIds=[cluster_id])
    operator = step("exit 0")
    with pytest.raises(AirflowFailException, match=r"No step can run: .* USER_REQUEST"):
        operator.execute(context_of(operator))


def test_a_cluster_that_ends_under_a_step_fails_it_for_good_with_the_reason(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    operator = step("sleep 60", deferrable=True)
    context = context_of(operator)
    trigger = deferred(operator, context).trigger
    client.terminate_job_flows(JobFlowIds=[cluster_id])
    with pytest.raises(AirflowFailException, match="USER_REQUEST"):
        operator.execute_complete(context, event_of(trigger))


# --- terminate


def terminate(tags: dict[str, str], job_flow_id: str = "") -> OrchardTerminateClusterOperator:
    return OrchardTerminateClusterOperator(
        task_id="terminate_cluster",
        job_flow_id=job_flow_id,
        cluster_name=cluster_name(tags),
        run_tags=tags,
        terminate_timeout=30,
        poll_interval=0.2,
        aws_conn_id=None,
    )


def test_the_cluster_is_found_by_its_tags_without_any_xcom(
    cluster_id: str, tags: dict[str, str], client: Any
) -> None:
    operator = terminate(tags)
    operator.execute(context_of(operator))
    assert client.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"] == "TERMINATED"


def test_a_cluster_that_lost_its_tags_is_found_by_the_xcom(
    cluster_id: str, tags: dict[str, str], client: Any
) -> None:
    client.remove_tags(ResourceId=cluster_id, TagKeys=["orchard:run"])
    operator = terminate(tags, cluster_id)
    operator.execute(context_of(operator))
    assert client.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"] == "TERMINATED"


def test_every_cluster_of_the_run_is_ended(
    cluster_id: str, request_of_cluster: Any, tags: Any, client: Any
) -> None:
    client.run_job_flow(**request_of_cluster)
    operator = terminate(tags)
    operator.execute(context_of(operator))
    assert live(client) == []


def test_ending_a_cluster_that_failed_is_a_success(
    cluster_id: str, tags: dict[str, str], client: Any
) -> None:
    for _ in range(2):
        operator = terminate(tags, cluster_id)
        operator.execute(context_of(operator))


# --- triggers


def event_of(trigger: Any) -> Any:
    async def first() -> Any:
        return await anext(trigger.run())

    return asyncio.run(first()).payload


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
        (EmrClusterStartTrigger(**ARGUMENTS), ("orchard_emr_triggers.EmrClusterStartTrigger", ARGUMENTS)),
        (EmrClusterEndTrigger(**ARGUMENTS), ("orchard_emr_triggers.EmrClusterEndTrigger", ARGUMENTS)),
        (
            EmrStepTrigger(step_id="s-1", **ARGUMENTS),
            ("orchard_emr_triggers.EmrStepTrigger", {**ARGUMENTS, "step_id": "s-1"}),
        ),
    ],
)
def test_a_trigger_survives_its_serialization(trigger: Any, serialized: tuple[str, dict[str, Any]]) -> None:
    assert trigger.serialize() == serialized
    assert type(trigger)(**serialized[1]).serialize() == serialized


def test_a_trigger_ends_at_its_deadline(cluster_id: str) -> None:
    trigger = EmrClusterEndTrigger(
        **{**ARGUMENTS, "job_flow_id": cluster_id, "until": ["TERMINATED"], "deadline": time.time() + 0.5}
    )
    event = event_of(trigger)
    assert (event["state"], event["job_flow_id"]) == ("TIMED_OUT", cluster_id)
    assert [seen["state"] for seen in event["seen"]] == ["WAITING"]


def test_a_trigger_outlives_an_api_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", "http://127.0.0.1:9")
    trigger = EmrClusterEndTrigger(**{**ARGUMENTS, "deadline": time.time() + 1, "poll_interval": 0.1})
    assert event_of(trigger) == {"state": "TIMED_OUT", "seen": [], "job_flow_id": "j-1"}


def test_a_trigger_gives_up_where_asking_again_is_in_vain(emr: str) -> None:
    trigger = EmrClusterEndTrigger(**{**ARGUMENTS, "job_flow_id": "j-NOSUCHCLUSTER"})
    with pytest.raises(Exception, match="InvalidRequestException"):
        event_of(trigger)


# --- answers that are lost

make_client: Any = EmrHook.__dict__.get("conn", AwsGenericHook.__dict__["conn"]).func


def test_a_cluster_whose_creation_was_not_answered_is_found(
    create: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = create()
    monkeypatch.setattr(EmrHook, "conn", property(lambda hook: Unanswered(make_client(hook))))
    monkeypatch.setitem(send_once.__globals__, "PAUSES", (0.1,))
    assert [operator.execute(context_of(operator))] == live(client)


def test_a_step_whose_addition_was_not_answered_is_found(
    step: Callable[..., Any], cluster_id: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = step("exit 0")
    monkeypatch.setattr(EmrHook, "conn", property(lambda hook: Unanswered(make_client(hook))))
    monkeypatch.setitem(send_once.__globals__, "PAUSES", (0.1,))
    operator.execute(context_of(operator))
    assert steps_of(client, cluster_id) == [("featurize r #0", "COMPLETED")]


class Unanswered:
    """A client whose requests that change something take effect, but whose answers are lost."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.meta = SimpleNamespace(client=client)  # where the hook looks for the region

    def __getattr__(self, name: str) -> Any:
        request = getattr(self._client, name)
        if name not in ("run_job_flow", "add_job_flow_steps"):
            return request

        def lose(**arguments: Any) -> None:
            request(**arguments)
            raise ConnectionClosedError(endpoint_url="http://emr")

        return lose


# --- errors and kills at the worst moment


class Faulty:
    """A client in which some requests fail before they take effect, or after (their answers are lost)."""

    def __init__(self, client: Any, faults: dict[str, list[Any]]) -> None:
        self._client = client
        self.meta = SimpleNamespace(client=client)  # where the hook looks for the region
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        request = getattr(self._client, name)
        if not self._faults.get(name):
            return request

        def strike(**arguments: Any) -> Any:
            fault = self._faults[name].pop(0) if self._faults[name] else None
            if isinstance(fault, BaseException):
                raise fault
            answer = request(**arguments)
            if fault is not None:
                fault()
            return answer

        return strike


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch, client: Any) -> dict[str, list[Any]]:
    """By name of request: errors to raise instead of it, or functions to call after it."""
    planned: dict[str, list[Any]] = {}
    # Through the functions, not the modules' names: Airflow imports its plugins once more.
    monkeypatch.setattr(EmrHook, "conn", property(lambda hook: Faulty(make_client(hook), planned)))
    monkeypatch.setitem(send_once.__globals__, "PAUSES", (0.1, 0.1, 0.1))
    monkeypatch.setitem(OrchardCreateClusterOperator._create.__globals__, "SEARCH_PAUSES", (0.1, 0.1, 0.1))
    return planned


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Request"
    )


def lose_answer() -> None:
    raise ConnectionClosedError(endpoint_url="http://emr")


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


def test_a_throttled_step_is_added_once(
    step: Callable[..., Any], cluster_id: str, client: Any, faults: dict[str, list[Any]]
) -> None:
    faults["add_job_flow_steps"] = [refusal("ThrottlingException"), lose_answer]
    operator = step("exit 0")
    operator.execute(context_of(operator))
    assert steps_of(client, cluster_id) == [("featurize r #0", "COMPLETED")]


def test_a_kill_while_the_cluster_is_asked_for_ends_it_as_soon_as_it_is_there(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]]
) -> None:
    operator = create()
    faults["run_job_flow"] = [operator.on_kill]
    with pytest.raises(AirflowException, match="killed while it asked for a cluster"):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_a_cluster_that_is_listed_late_is_ended_though_the_task_has_lost_it(
    create: Callable[..., Any], client: Any, faults: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost because of a time limit, and the first searches show nothing."""

    def interrupt() -> None:
        raise AirflowTaskTimeout()

    looks = iter(range(100))
    monkeypatch.setitem(
        OrchardCreateClusterOperator._create.__globals__,
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
        resumed.resume_execution("execute_complete", {"event": event}, context_of(resumed))
    assert live(client) == []


def test_a_foreign_cluster_that_may_not_be_described_disturbs_nothing(
    create: Callable[..., Any], client: Any, request_of_cluster: Any, tags: Any, monkeypatch: Any
) -> None:
    client.run_job_flow(**{**request_of_cluster, "Name": "somebody else's", "Tags": []})
    (foreign,) = live(client)
    described = []
    tags_of = orchard_emr_api._tags_of

    def note(client: Any, cluster_id: str) -> Any:
        described.append(cluster_id)
        return tags_of(client, cluster_id)

    monkeypatch.setattr(orchard_emr_api, "_tags_of", note)
    operator = create()
    own = operator.execute(context_of(operator))
    ending = terminate(tags)
    ending.execute(context_of(ending))
    assert live(client) == [foreign]
    assert set(described) == {own}


def test_the_known_cluster_is_ended_though_the_search_is_refused(
    cluster_id: str, tags: dict[str, str], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise refusal("AccessDeniedException")

    monkeypatch.setitem(OrchardTerminateClusterOperator._find_alive.__globals__, "find_clusters", refuse)
    operator = terminate(tags, cluster_id)
    with pytest.raises(ClientError, match="AccessDenied"):
        operator.execute(context_of(operator))
    assert live(client) == []


def test_no_cluster_is_asked_for_where_the_guard_refuses(create: Callable[..., Any], client: Any) -> None:
    def refuse(context: Any) -> None:
        raise AirflowFailException("published")

    operator = create(guard=refuse)
    with pytest.raises(AirflowFailException, match="published"):
        operator.execute(context_of(operator))
    assert live(client) == []


# --- time limits of steps


def test_a_step_that_takes_too_long_is_cancelled_and_fails_for_good(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    operator = step("sleep 60", step_timeout=1)
    with pytest.raises(AirflowFailException, match="Cancelled after 1 s"):
        operator.execute(context_of(operator))
    wait_until(lambda: steps_of(client, cluster_id) == [("featurize r #0", "CANCELLED")])


def test_the_time_of_a_step_counts_from_its_addition_whichever_try_added_it(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("sleep 60", deferrable=True), step("sleep 60", deferrable=True)
    deadline = deferred(first, context_of(first)).trigger.deadline
    time.sleep(1)
    assert deferred(second, context_of(second)).trigger.deadline == deadline
