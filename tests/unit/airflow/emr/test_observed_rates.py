"""An estimate reckons with what the lake's own clusters took, once three of them tell."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchard.emr.observed_rates import observe
from orchard.lake.layout import Lake
from orchard.lake.run_index import RunIndex
from orchard.settings.cluster import Cost
from tests.support.airflow.report_lake import ReportLake, clusters

DEFAULT = Cost()


@pytest.fixture
def made(tmp_path: Path) -> ReportLake:
    return ReportLake(Lake(f"file://{tmp_path}"))


def publish(
    made: ReportLake, slug: str, boot: int = 300, seconds: float = 100.0, images: int = 20_000, **cluster: Any
) -> None:
    """Publish a run on eight cores: of 20,000 images in 100 s, 25 a second and core."""
    timeline = {
        "CreationDateTime": "2026-11-22T02:00:00+00:00",
        "ReadyDateTime": f"2026-11-22T02:{boot // 60:02}:{boot % 60:02}+00:00",
    }
    made.publish(
        slug, clusters({"plum": 5}), cluster={"id": "j-1", "timeline": timeline, "local": False, **cluster}
    )
    place = made.lake.run(slug).run_json
    run = json.loads(made.storage.read(place).data)
    run["counts"] |= {"featurized": images, "rejected": 0}
    run["phases"]["featurize"] = {"featurize": seconds}
    run["estimate"] = {"cores": 8}
    made.storage.write(place, json.dumps(run).encode())


def look(made: ReportLake) -> tuple[float, int]:
    found = observe(RunIndex.load(made.storage, made.lake), DEFAULT)
    return found.images_per_core, found.boot_seconds


def test_two_runs_are_too_few(made: ReportLake) -> None:
    for slug in "ab":
        publish(made, slug)
    assert look(made) == (50, 480)


def test_three_runs_tell_the_median_of_each(made: ReportLake) -> None:
    publish(made, "a", boot=200, seconds=100)
    publish(made, "b", boot=300, seconds=200)
    publish(made, "c", boot=999, seconds=50)
    assert look(made) == (25, 300)


def test_few_images_tell_how_long_a_cluster_takes_to_start_and_no_rate(made: ReportLake) -> None:
    for slug in "abc":
        publish(made, slug, images=999)
    assert look(made) == (50, 300)


@pytest.mark.parametrize("local", [True, None], ids=["it was", "an earlier version did not say"])
def test_a_run_that_may_have_been_on_a_local_emr_tells_nothing(local: bool | None, made: ReportLake) -> None:
    for slug in "abc":
        publish(made, slug, boot=1, local=local)
    assert look(made) == (50, 480)


def test_what_a_node_makes_up_moves_the_estimate_no_further_than_tenfold(made: ReportLake) -> None:
    for slug in "abc":
        publish(made, slug, boot=1, seconds=1e-9)
    assert look(made) == (500, 48)


def test_runs_of_earlier_versions_which_wrote_less_are_passed_over(made: ReportLake) -> None:
    for slug in "abcd":
        publish(made, slug)
    place = made.lake.run("d").run_json
    run = json.loads(made.storage.read(place).data)
    made.storage.write(place, json.dumps({**run, "phases": None, "estimate": None}).encode())
    assert look(made) == (25, 300)


def test_without_a_run_the_settings_hold(made: ReportLake) -> None:
    assert look(made) == (50, 480)
