"""A step runs once, does not outlive its task, and says why it failed, against the local EMR."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.exceptions import AirflowException
from airflow.sdk.exceptions import AirflowFailException, TaskDeferralError

from tests.support.airflow.emr_operators import (
    context_of,
    deferred,
    event_of,
    lose_answer,
    refusal,
    steps_of,
    wait_for_the_step_to_be_cancelled,
)

pytestmark = pytest.mark.usefixtures("emr")


def test_a_retry_attaches_to_the_step_of_the_first_try(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("sleep 1", deferrable=True), step("sleep 1")
    deferred(first, context_of(first))
    second.execute(context_of(second))
    assert steps_of(client, cluster_id) == [("featurize r #0", "COMPLETED")]


@pytest.mark.parametrize(
    "change", [{"Name": "somebody else's"}, {"orchard:run": "another"}, {"orchard:lake": "x"}]
)
def test_a_cluster_that_is_not_the_runs_gets_no_step(
    step: Callable[..., Any], cluster_id: str, client: Any, change: dict[str, str]
) -> None:
    operator = step("exit 0")
    operator.cluster_identity |= change
    with pytest.raises(AirflowFailException, match=f"Cluster {cluster_id} is not this run's"):
        operator.execute(context_of(operator))
    assert steps_of(client, cluster_id) == []


@pytest.mark.parametrize("garbage", ["", "j-NONE", "['j-1']"])
def test_an_id_that_is_none_gets_no_step_and_one_clear_error(step: Callable[..., Any], garbage: str) -> None:
    operator = step("exit 0", job_flow_id=garbage)
    with pytest.raises(AirflowFailException, match=r"is not this run's, according to EMR: .* XCom"):
        operator.execute(context_of(operator))


def test_an_id_that_changes_while_the_step_works_changes_nothing(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first = step("exit 0", deferrable=True)
    trigger = deferred(first, context_of(first)).trigger
    resumed = step("exit 0", job_flow_id="j-FOREIGN")
    resumed.complete(context_of(resumed), event_of(trigger), trigger.ids)
    assert steps_of(client, cluster_id) == [("featurize r #0", "COMPLETED")]


def test_no_step_of_a_cluster_that_is_not_the_runs_is_cancelled(
    step: Callable[..., Any], cluster_id: str, client: Any, faults: dict[str, list[Any]]
) -> None:
    operator = step("sleep 60", deferrable=True)
    deferred(operator, context_of(operator))
    resumed = step("sleep 60")
    resumed.cluster_identity |= {"orchard:run": "another"}
    faults["cancel_steps"] = [lose_answer]
    with pytest.raises(TaskDeferralError):
        resumed.resume_execution("__fail__", {"error": "Trigger failure"}, context_of(resumed))
    assert faults["cancel_steps"] == [lose_answer]  # nobody asked


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


def test_a_step_whose_driver_is_in_a_container_is_not_followed_by_another_once_it_was_cancelled(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    """Cancelling it ends spark-submit; the driver may go on, and both would write the same folder."""
    operators = [step("sleep 60", deferrable=True) for _ in range(3)]
    for operator in operators:
        operator.steps[0]["HadoopJarStep"]["Args"] += ["--deploy-mode", "cluster"]
    first, cleared, retry = operators
    deferred(first, context_of(first))
    for operator in (cleared, retry):
        with pytest.raises(
            AirflowFailException,
            match=r"the driver of the cancelled s-\w+ may still run .* Terminate the cluster, then",
        ):
            operator.execute(context_of(operator, cleared_after=1))
    wait_for_the_step_to_be_cancelled(client, cluster_id)
    assert steps_of(client, cluster_id) == [("featurize r #0", "CANCELLED")]


def test_what_is_told_of_a_step_of_before_the_task_was_cleared_does_not_end_the_wait(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("sleep 60", deferrable=True), step("sleep 1", deferrable=True)
    old = deferred(first, context_of(first)).trigger
    new = deferred(second, context_of(second, cleared_after=1)).trigger
    resumed = step("sleep 1")
    resumed.complete(context_of(resumed, cleared_after=1), event_of(old), new.ids)
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
    wait_for_the_step_to_be_cancelled(client, cluster_id)


def test_killing_the_task_while_it_is_deferred_cancels_the_step(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    operator = step("sleep 60", deferrable=True)
    trigger = deferred(operator, context_of(operator)).trigger
    asyncio.run(trigger.on_kill())
    wait_for_the_step_to_be_cancelled(client, cluster_id)


def test_a_failed_trigger_cancels_the_step(step: Callable[..., Any], cluster_id: str, client: Any) -> None:
    operator = step("sleep 60", deferrable=True)
    deferred(operator, context_of(operator))
    resumed = step("sleep 60")
    with pytest.raises(TaskDeferralError):
        resumed.resume_execution("__fail__", {"error": "Trigger failure"}, context_of(resumed))
    wait_for_the_step_to_be_cancelled(client, cluster_id)


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
        operator.complete(context, event_of(trigger), trigger.ids)


# --- answers that are lost


def test_a_step_whose_addition_was_not_answered_is_found(
    step: Callable[..., Any], cluster_id: str, client: Any, faults: dict[str, list[Any]]
) -> None:
    faults["add_job_flow_steps"] = [lose_answer]
    operator = step("exit 0")
    operator.execute(context_of(operator))
    assert steps_of(client, cluster_id) == [("featurize r #0", "COMPLETED")]


def test_a_throttled_step_is_added_once(
    step: Callable[..., Any], cluster_id: str, client: Any, faults: dict[str, list[Any]]
) -> None:
    faults["add_job_flow_steps"] = [refusal("ThrottlingException"), lose_answer]
    operator = step("exit 0")
    operator.execute(context_of(operator))
    assert steps_of(client, cluster_id) == [("featurize r #0", "COMPLETED")]


# --- time limits of steps


def test_a_step_that_takes_too_long_is_cancelled_and_fails_for_good(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    operator = step("sleep 60", step_timeout=1)
    with pytest.raises(AirflowFailException, match="Cancelled after 1 s"):
        operator.execute(context_of(operator))
    wait_for_the_step_to_be_cancelled(client, cluster_id)


def test_the_time_of_a_step_counts_from_its_addition_whichever_try_added_it(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("sleep 60", deferrable=True), step("sleep 60", deferrable=True)
    deadline = deferred(first, context_of(first)).trigger.deadline
    time.sleep(1)
    assert deferred(second, context_of(second)).trigger.deadline == deadline


HOUR = 3600.0


def test_a_cluster_that_is_too_old_gets_no_step_and_no_retry(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    time.sleep(1.1)  # EMR tells whole seconds
    operator = step("exit 0", max_cluster_hours=0.1 / HOUR)
    with pytest.raises(AirflowFailException, match=rf"Not adding a step: cluster {cluster_id} is older than"):
        operator.execute(context_of(operator))
    assert steps_of(client, cluster_id) == []


def test_a_step_is_cancelled_when_its_cluster_has_become_too_old(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    created = client.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["Timeline"][
        "CreationDateTime"
    ]
    hours = (time.time() + 10 - created.timestamp()) / HOUR
    operator = step("sleep 60", max_cluster_hours=hours)
    with pytest.raises(AirflowFailException, match=r"Cancelled because cluster .* is older"):
        operator.execute(context_of(operator))
    wait_for_the_step_to_be_cancelled(client, cluster_id)


def test_a_step_that_completed_on_a_cluster_that_is_too_old_by_now_is_not_lost(
    step: Callable[..., Any], cluster_id: str, client: Any
) -> None:
    first, second = step("exit 0"), step("exit 0", max_cluster_hours=0.1 / HOUR)
    first.execute(context_of(first))
    time.sleep(1.1)
    assert second.execute(context_of(second)) == first._step_id
