"""EMR's API refuses, fails or does not answer. The runs are in this process, with the real operators."""

import pytest

from tests.support.polling import wait_for
from tests.system.faults.checks import prove_contained
from tests.system.faults.scenario import Scenario


@pytest.mark.fault(
    "RunJobFlow fails once, before it takes effect: {kind}", then="asked again; the run succeeds"
)
@pytest.mark.parametrize("kind", ["throttle", "internal", "reset"])
def test_a_passing_error_before_the_cluster_is_created_is_outlasted(scenario: Scenario, kind: str) -> None:
    scenario.fault("RunJobFlow", kind, times=1)
    assert_succeeds(scenario)


@pytest.mark.fault("RunJobFlow is refused: access_denied", then="the run fails, no cluster is created")
def test_a_missing_permission_to_create_fails_the_run_and_creates_nothing(scenario: Scenario) -> None:
    scenario.fault("RunJobFlow", "access_denied")
    assert str(scenario.run().state) == "failed"
    scenario.clear_faults()
    prove_contained(scenario, published=False, clusters=0)


@pytest.mark.fault(
    "RunJobFlow takes effect and its answer is lost: {kind}",
    then="the cluster is found by its tags; the run succeeds",
)
@pytest.mark.parametrize("kind", ["internal", "reset"])
def test_a_cluster_whose_creation_was_not_answered_is_attached_to(scenario: Scenario, kind: str) -> None:
    scenario.fault("RunJobFlow", kind, when="after", times=1)
    assert_succeeds(scenario)


@pytest.mark.fault(
    "RunJobFlow takes effect, its answer is lost, and ListClusters, which would find it, is refused",
    then="the run fails; the cluster is ended as soon as EMR lets it be found",
)
def test_a_cluster_that_cannot_be_found_at_once_is_ended_later(scenario: Scenario) -> None:
    def refuse_to_list() -> None:
        wait_for(scenario.clusters, "the cluster")  # twelve seconds later the task looks for it
        scenario.fault("ListClusters", "access_denied", times=2)

    scenario.fault("RunJobFlow", "timeout", when="after", seconds=10, times=1)
    with scenario.meanwhile(refuse_to_list):
        assert str(scenario.run().state) == "failed"
    assert scenario.faults() == []
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault(
    "DescribeCluster fails three times after the creation: reset", then="asked again; the run succeeds"
)
def test_a_passing_error_on_describing_the_new_cluster_is_outlasted(scenario: Scenario) -> None:
    scenario.fault("DescribeCluster", "reset", times=3)
    assert_succeeds(scenario)


@pytest.mark.fault(
    "DescribeCluster is refused after the creation", then="the run fails; the cluster is ended"
)
def test_a_cluster_that_may_not_be_described_is_ended(scenario: Scenario) -> None:
    scenario.fault("DescribeCluster", "access_denied", times=1)
    assert str(scenario.run().state) == "failed"
    scenario.clear_faults()
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault(
    "AddJobFlowSteps fails once, {when} it takes effect: {kind}", then="the step runs once; the run succeeds"
)
@pytest.mark.parametrize(
    ("kind", "when"), [("throttle", "before"), ("reset", "before"), ("internal", "after")]
)
def test_a_step_whose_addition_failed_runs_once(scenario: Scenario, kind: str, when: str) -> None:
    scenario.fault("AddJobFlowSteps", kind, when=when, times=1)
    assert str(scenario.run().state) == "success"
    assert [step["Status"]["State"] for step in scenario.steps()] == ["COMPLETED"] * 3
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.fault("TerminateJobFlows fails three times: internal", then="asked again; the run succeeds")
def test_a_passing_error_on_ending_the_cluster_is_outlasted(scenario: Scenario) -> None:
    scenario.fault("TerminateJobFlows", "internal", times=3)
    assert_succeeds(scenario)


@pytest.mark.settings(ORCHARD_IDLE_TIMEOUT="1800")
@pytest.mark.fault(
    "TerminateJobFlows is refused for good", then="published, the run fails; EMR ends the idle cluster"
)
def test_a_cluster_that_may_not_be_ended_ends_by_its_idle_timeout(scenario: Scenario) -> None:
    scenario.fault("TerminateJobFlows", "access_denied")
    assert str(scenario.run().state) == "failed"
    prove_contained(scenario, published=True, clusters=1)


def assert_succeeds(scenario: Scenario) -> None:
    """The faults have struck, and the run has succeeded with one cluster."""
    assert str(scenario.run().state) == "success"
    assert scenario.faults() == []
    prove_contained(scenario, published=True, clusters=1)
