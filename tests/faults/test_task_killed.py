"""SIGKILL to the process of a task, at the worst of times. Its next try must take over, and make nothing twice."""

from collections.abc import Callable

import pytest

from tests.faults.airflow_server import Airflow, ScheduledRun
from tests.faults.checks import prove_contained
from tests.faults.scenario import Scenario
from tests.faults.waiting import wait_for

pytestmark = [pytest.mark.faults]


@pytest.mark.settings(ORCHARD_RETRIES="1")
@pytest.mark.fault(
    "kill -9 of the task that creates the cluster, with its supervisor, between RunJobFlow and its answer",
    then="the next try finds the cluster by its tags; the run succeeds",
)
def test_a_killed_creation_is_taken_over_by_its_next_try(
    scenario: Scenario, scheduled: Callable[[], ScheduledRun], airflow: Airflow
) -> None:
    scenario.fault("RunJobFlow", "timeout", when="after", seconds=30, times=1)
    run = scheduled()
    wait_for(scenario.clusters, "the cluster, of which the task does not know yet")
    airflow.kill_task(run.task("create_cluster"), with_supervisor=True)
    assert run.wait() == "success"
    assert run.task("create_cluster")["try_number"] == 2
    prove_contained(scenario, published=True, clusters=1)
