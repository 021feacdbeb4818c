"""What people do in the UI to a run that works: clear a task, mark a task or the run failed."""

from collections.abc import Callable

import pytest

from tests.support.airflow.server import ScheduledRun, Trigger
from tests.system.faults.checks import prove_contained
from tests.system.faults.scenario import Scenario

Start = Callable[[Scenario, Trigger], ScheduledRun]


def start_until_the_driver_works(scenario: Scenario, scheduled: Trigger) -> ScheduledRun:
    """Trigger a run; return it when featurize waits, without a process of Airflow, for a hanging driver."""
    scenario.spark("featurize", how="real")
    run = scheduled()
    driver = scenario.wait_for_driver("featurize")
    driver.suspend()  # a few images take it less time than Airflow takes to do what it is asked
    run.wait_for_task("featurize", "deferred")
    return run


def start_until_the_step_is_not_known(scenario: Scenario, scheduled: Trigger) -> ScheduledRun:
    """Trigger a run; return it when its step runs, and EMR has not told the task its id yet."""
    scenario.spark("featurize", how="real")
    scenario.fault("AddJobFlowSteps", "timeout", when="after", seconds=60, times=1)
    run = scheduled()
    scenario.wait_for_driver("featurize").suspend()
    return run


WHENEVER = pytest.mark.parametrize(
    ("when", "start"),
    [
        pytest.param("while its step runs", start_until_the_driver_works, id="deferred"),
        pytest.param("while it adds the step", start_until_the_step_is_not_known, id="running"),
    ],
)


@WHENEVER
@pytest.mark.fault(
    "a step's task is cleared {when}", then="the step is cancelled and runs again; the run succeeds"
)
def test_clearing_a_task_cancels_its_step_and_runs_it_again(
    scenario: Scenario, scheduled: Trigger, when: str, start: Start
) -> None:
    run = start(scenario, scheduled)
    scenario.undisturbed()
    run.clear_task("featurize")
    run.must_end("success")
    assert states_of_steps(scenario, "featurize") == ["CANCELLED", "COMPLETED"]
    prove_contained(scenario, published=True)


@WHENEVER
@pytest.mark.fault("a step's task is marked failed {when}", then="the step is cancelled; the run fails")
def test_failing_a_task_cancels_its_step(
    scenario: Scenario, scheduled: Trigger, when: str, start: Start
) -> None:
    run = start(scenario, scheduled)
    run.fail_task("featurize")
    run.must_end("failed")
    assert states_of_steps(scenario, "featurize") == ["CANCELLED"]
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault(
    "the DAG run is marked failed while a step runs",
    then="the step is cancelled, the teardown runs; Airflow calls the run a success: its leaves are skipped",
)
def test_failing_the_run_cancels_its_step_and_ends_its_cluster(
    scenario: Scenario, scheduled: Trigger
) -> None:
    run = start_until_the_driver_works(scenario, scheduled)
    run.fail()
    run.wait()
    assert run.task_states() == {
        **dict.fromkeys(("sense", "create_cluster", "terminate_cluster"), "success"),
        "featurize": "failed",
        **dict.fromkeys(("reduce", "export", "publish", "compact", "report"), "skipped"),
    }
    assert states_of_steps(scenario, "featurize") == ["CANCELLED"]
    prove_contained(scenario, published=False, clusters=1)


def states_of_steps(scenario: Scenario, job: str) -> list[str]:
    return [step["Status"]["State"] for step in scenario.steps(job)]
