"""SIGKILL to the process of a task, at the worst of times: the next try takes over; nothing is made twice."""

import pytest

from tests.support.airflow.server import Airflow, ScheduledRun, Trigger
from tests.support.polling import wait_for
from tests.system.faults.checks import prove_contained
from tests.system.faults.scenario import Scenario


@pytest.mark.settings(ORCHARD_RETRIES="1")
@pytest.mark.fault(
    "`kill -9` of the creating task and of its supervisor between RunJobFlow and its answer",
    then="the next try finds the cluster by its tags; the run succeeds",
)
def test_a_killed_creation_is_taken_over_by_its_next_try(
    scenario: Scenario, scheduled: Trigger, airflow: Airflow
) -> None:
    run = start_until_the_cluster_is_not_known(scenario, scheduled)
    airflow.kill_task(run.task("create_cluster"), with_supervisor=True)
    run.must_end("success")
    assert run.task("create_cluster")["try_number"] == 2
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.settings(ORCHARD_IDLE_TIMEOUT="1800")
@pytest.mark.fault(
    "`kill -9` of the creating task between RunJobFlow and its answer, with no try left",
    then="the run fails; EMR ends the idle cluster, of which nobody knows",
)
def test_a_cluster_that_nobody_knows_of_is_ended_by_its_idle_timeout(
    scenario: Scenario, scheduled: Trigger, airflow: Airflow
) -> None:
    run = start_until_the_cluster_is_not_known(scenario, scheduled)
    airflow.kill_task(run.task("create_cluster"))
    run.must_end("failed")
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.settings(ORCHARD_RETRIES="1")
@pytest.mark.fault(
    "`kill -9` of a step's task between AddJobFlowSteps and its answer",
    then="the next try attaches to the step, which runs once; the run succeeds",
)
def test_a_step_whose_task_was_killed_while_it_was_added_runs_once(
    scenario: Scenario, scheduled: Trigger, airflow: Airflow
) -> None:
    scenario.fault("AddJobFlowSteps", "timeout", when="after", seconds=60, times=1)
    run = scheduled()
    scenario.wait_for_step("featurize", "RUNNING", "COMPLETED")
    airflow.kill_task(run.task("featurize"))
    run.must_end("success")
    assert run.task("featurize")["try_number"] == 2
    assert len(scenario.steps("featurize")) == 1
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.settings(ORCHARD_RETRIES="1")
@pytest.mark.fault(
    "`kill -9` of a step's task as it resumes after the step's end",
    then="the next try finds the step completed; the run succeeds",
)
def test_a_completed_step_whose_task_was_killed_does_not_run_again(
    scenario: Scenario, scheduled: Trigger, airflow: Airflow
) -> None:
    scenario.spark("featurize", hold=True)
    run = scheduled()
    deferred = run.wait_for_task("featurize", "deferred")
    airflow.wait_until_left(deferred)
    scenario.release()
    airflow.kill_task(deferred)
    run.must_end("success")
    assert run.task("featurize")["try_number"] == 2
    assert len(scenario.steps("featurize")) == 1
    prove_contained(scenario, published=True, clusters=1)


def start_until_the_cluster_is_not_known(scenario: Scenario, scheduled: Trigger) -> ScheduledRun:
    """Trigger a run; return it when it has a cluster and EMR has not answered yet."""
    scenario.fault("RunJobFlow", "timeout", when="after", seconds=60, times=1)
    run = scheduled()
    wait_for(scenario.clusters, "the cluster, of which the task does not know yet")
    return run
