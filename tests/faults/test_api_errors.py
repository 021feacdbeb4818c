"""EMR's API refuses, fails or does not answer. The runs are in this process, with the real operators."""

import pytest

from tests.faults.checks import prove_contained
from tests.faults.scenario import Scenario

TRANSIENT = ["throttle", "internal", "reset"]


@pytest.mark.fault("RunJobFlow fails once, before it takes effect: {kind}", then="asked again; the run succeeds")
@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_passing_error_before_the_cluster_is_created_is_outlasted(scenario: Scenario, kind: str) -> None:
    scenario.fault("RunJobFlow", kind, times=1)
    assert str(scenario.run().state) == "success"
    assert scenario.faults() == []
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.fault("RunJobFlow is refused: access_denied", then="fails at once, no cluster")
def test_a_missing_permission_to_create_fails_the_run_and_creates_nothing(scenario: Scenario) -> None:
    scenario.fault("RunJobFlow", "access_denied")
    assert str(scenario.run().state) == "failed"
    scenario.clear_faults()
    prove_contained(scenario, published=False, clusters=0)


@pytest.mark.fault(
    "RunJobFlow takes effect and its answer is lost: {kind}", then="the cluster is found by its tags; the run succeeds"
)
@pytest.mark.parametrize("kind", ["internal", "reset"])
def test_a_cluster_whose_creation_was_not_answered_is_attached_to(scenario: Scenario, kind: str) -> None:
    scenario.fault("RunJobFlow", kind, when="after", times=1)
    assert str(scenario.run().state) == "success"
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.fault("DescribeCluster fails three times after the creation: {kind}", then="asked again; the run succeeds")
@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_passing_error_on_describing_the_new_cluster_is_outlasted(scenario: Scenario, kind: str) -> None:
    scenario.fault("DescribeCluster", kind, times=3)
    assert str(scenario.run().state) == "success"
    assert scenario.faults() == []
    prove_contained(scenario, published=True, clusters=1)
