"""The cluster does not come up, or goes away."""

import pytest

from tests.system.faults.checks import prove_contained
from tests.system.faults.scenario import Scenario


@pytest.mark.fault("a bootstrap action fails", then="the run fails with EMR's reason")
def test_a_failed_bootstrap_action_fails_the_run(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    assert str(scenario.run(ORCHARD_BOOTSTRAP_ARGS="--no-such-argument").state) == "failed"
    assert "BOOTSTRAP_FAILURE" in capfd.readouterr().out
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault("EC2 has no capacity, and EMR gives up", then="the run fails with EMR's reason")
def test_a_cluster_without_capacity_fails_the_run(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    scenario.fault("RunJobFlow", "no_capacity", seconds=1, times=1)
    assert str(scenario.run().state) == "failed"
    assert "INSTANCE_FLEET_TIMEOUT" in capfd.readouterr().out
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault(
    "EC2 has no capacity for longer than `ORCHARD_START_TIMEOUT`",
    then="the run fails; the starting cluster is ended",
)
def test_a_cluster_that_does_not_start_in_time_is_ended(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    scenario.fault("RunJobFlow", "no_capacity", seconds=600, times=1)
    assert str(scenario.run(ORCHARD_START_TIMEOUT="2").state) == "failed"
    assert "Not started within 2 s" in capfd.readouterr().out
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault("somebody terminates the cluster while a step runs", then="the run fails and says so")
def test_a_cluster_that_is_terminated_from_outside_fails_the_run(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    def terminate() -> None:
        scenario.wait_for_driver("featurize")
        scenario.emr.terminate_job_flows(JobFlowIds=[scenario.clusters()[-1]["Id"]])

    scenario.spark("featurize", how="real")
    with scenario.meanwhile(terminate):
        assert str(scenario.run().state) == "failed"
    assert "USER_REQUEST: Terminated by user request" in capfd.readouterr().out
    prove_contained(scenario, published=False, clusters=1)
