"""The time that a cluster is paid for and does nothing is told."""

from datetime import UTC, datetime
from typing import Any

from local_airflow.watch import sum_idle_seconds


def at(second: int) -> datetime:
    return datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)


def cluster(**timeline: int) -> dict[str, Any]:
    return {"Status": {"Timeline": {f"{name}DateTime": at(second) for name, second in timeline.items()}}}


def test_a_cluster_that_never_was_ready_or_lives_tells_nothing() -> None:
    assert sum_idle_seconds(cluster(Creation=0, End=9), []) is None
    assert sum_idle_seconds(cluster(Creation=0, Ready=5), []) is None


def test_it_is_the_time_before_between_and_after_the_steps() -> None:
    steps = [cluster(Creation=16, Start=17, End=20), cluster(Creation=11, Start=12, End=15)]
    assert sum_idle_seconds(cluster(Creation=0, Ready=10, End=23), steps) == 2 + 2 + 3


def test_a_step_that_never_started_counts_for_nothing() -> None:
    steps = [cluster(Creation=11, Start=12, End=15), cluster(Creation=13, End=14)]
    assert sum_idle_seconds(cluster(Creation=0, Ready=10, End=16), steps) == 2 + 1


def test_a_cluster_without_a_step_was_idle_all_the_time() -> None:
    assert sum_idle_seconds(cluster(Creation=0, Ready=10, End=40), []) == 30
