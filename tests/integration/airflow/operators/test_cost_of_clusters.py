"""What a run has cost, as the local EMR tells of its clusters."""

from collections.abc import Callable
from typing import Any

import pytest

from orchard.emr.actual_cost import cluster_cost
from orchard.settings.settings import Settings
from tests.support.airflow.emr_operators import context_of


def test_all_clusters_of_the_run_count_and_all_pages_of_their_instances(
    create: Callable[..., Any], tags: dict[str, str], settings: Settings, client: Any
) -> None:
    """Each has a primary and a core node; the local EMR tells two on a page."""
    assert cluster_cost({**tags, "orchard:run": "another"}, 10, settings)["instances"] == 0  # type: ignore[index]
    for _ in range(2):
        operator = create()
        client.terminate_job_flows(JobFlowIds=[operator.execute(context_of(operator))])
    found = cluster_cost(tags, 10, settings)
    assert found is not None
    assert (found["instances"], found["region"]) == (4, "us-east-1")
    assert found["dollars"] == pytest.approx(found["instance_seconds"] * 0.24 / 3600, rel=0.02)
