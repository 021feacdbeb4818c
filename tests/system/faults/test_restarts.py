"""Airflow's own processes die and come back; what a deployment's timeout does; two runs at once."""

import pytest

from tests.support.airflow.server import Airflow, ScheduledRun, Trigger
from tests.support.polling import wait_for
from tests.system.faults.checks import prove_contained
from tests.system.faults.scenario import Scenario


@pytest.mark.settings(ORCHARD_RETRIES="1")
@pytest.mark.fault(
    "`kill -9` of the scheduler with the task that adds a step; both are gone until it is started again",
    then="the task's next try attaches to the step; the run succeeds",
)
def test_a_run_survives_a_restart_of_the_scheduler(
    scenario: Scenario, scheduled: Trigger, airflow: Airflow
) -> None:
    scenario.fault("AddJobFlowSteps", "timeout", when="after", seconds=60, times=1)
    run = scheduled()
    scenario.wait_for_step("featurize", "RUNNING", "COMPLETED")
    airflow.kill("scheduler")
    airflow.start("scheduler")
    run.must_end("success")
    assert len(scenario.steps("featurize")) == 1
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.fault(
    "`kill -9` of the triggerer while a step runs; the step ends before it is started again",
    then="the end is seen late; the run succeeds",
)
def test_a_run_survives_a_restart_of_the_triggerer(
    scenario: Scenario, scheduled: Trigger, airflow: Airflow
) -> None:
    scenario.spark("featurize", hold=True)
    run = scheduled()
    run.wait_for_task("featurize", "deferred")
    airflow.kill("triggerer")
    scenario.release()
    scenario.wait_for_step("featurize", "COMPLETED")
    airflow.start("triggerer")
    run.must_end("success")
    assert len(scenario.steps("featurize")) == 1
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.dag(dagrun_timeout=3600)
@pytest.mark.settings(ORCHARD_SWEEP_GRACE="0")
@pytest.mark.fault(
    "the DAG run exceeds a `dagrun_timeout` of the deployment (Orchard sets none), which skips the teardown",
    then="the step is cancelled; the sweeper ends the cluster",
)
def test_the_cluster_of_a_run_that_timed_out_is_swept(
    scenario: Scenario, scheduled: Trigger, airflow: Airflow
) -> None:
    scenario.spark("featurize", hold=True)
    run = scheduled()
    run.wait_for_task("featurize", "deferred")
    wait_for(lambda: "RUNNING" in run.log("featurize"), "the trigger to look at the step")
    run.set_back(hours=2)
    run.must_end("failed")
    assert run.task_states()["terminate_cluster"] == "skipped"
    scenario.wait_for_step("featurize", "CANCELLED")
    assert ScheduledRun.trigger(airflow, f"{scenario.name}-sweeper").wait() == "success"
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.dag(max_active_runs=2)
@pytest.mark.fault(
    "two runs on one lake at once (Orchard allows one)", then="one is published, the other fails and says why"
)
def test_of_two_runs_at_once_one_is_published(scenario: Scenario, scheduled: Trigger) -> None:
    scenario.spark("featurize", hold=True)
    runs = [scheduled(), scheduled()]
    for run in runs:
        run.wait_for_task("featurize", "deferred")
    scenario.release()
    assert sorted(run.wait() for run in runs) == ["failed", "success"]
    loser = next(run for run in runs if run.state() == "failed")
    assert loser.task("publish")["state"] == "failed"
    assert "that was published after this run's 'sense'" in loser.log(
        "publish"
    ) or "has changed since" in loser.log("publish")
    prove_contained(scenario, published=True, clusters=2)
