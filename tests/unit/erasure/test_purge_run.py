"""A run that is purged is gone in every version, and nothing else is."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchard.lake.objects import local_path
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.publishing.publish import to_json
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.errors import OrchardError
from tests.support.airflow.erasable_lake import OLD, Place


def test_a_run_goes_with_all_it_has_written_and_its_name_and_nothing_else(nights: Place) -> None:
    before = nights.contents()
    nights.purge(RUN="r2")
    logs = {"logs/j-R2", "logs/spark-events"}
    assert left_of(before, nights) == {"runs/r2", "ledger/r2.parquet", "basis/b-r2", *logs}
    events = {name.split("/")[2] for name in nights.contents() if "spark-events" in name}
    assert events == {"eventlog_v2_r1", "eventlog_v2_r3"}
    changed = {name for name, data in nights.contents().items() if data != before[name]}
    assert changed == {"latest.json"}
    assert [run.run for run in RunIndex.load(nights.storage, nights.lake).runs] == ["r1", "r3"]
    assert nights.held_below("runs/r2") == []
    with pytest.raises(OrchardError, match=r"^no run 'r2'"):
        nights.plan(RUN="r2")


def test_the_newest_run_is_refused(nights: Place) -> None:
    with pytest.raises(OrchardError, match=r"^r3 is the newest run: readers use it"):
        nights.plan(RUN="r3")


def test_a_run_whose_features_later_runs_need_is_refused_with_their_number(nights: Place) -> None:
    message = r"^2 later runs need the features of r1: r2 needs 2 rows, a, e: .* --image=<path>"
    with pytest.raises(OrchardError, match=message):
        nights.plan(RUN="r1")


def test_a_basis_that_another_run_has_too_stays(place: Place) -> None:
    place.write_run("r1", {"a": "r1"}, basis="shared")
    place.write_run("r2", {"a": "r2"}, basis="shared")
    place.purge(RUN="r1")
    assert place.storage.names(place.lake.basis("shared")) == ["basis.npz"]


def test_a_run_that_failed_goes_unless_it_may_be_at_work(place: Place, tmp_path: Path) -> None:
    place.write_run("r1", {"a": "r1"})
    place.write_run("failed", {"b": "failed"}, publish=False)
    with pytest.raises(OrchardError, match=r"^failed is not published, and has written something since"):
        place.plan(RUN="failed")
    if place.lake.uri.startswith("file://"):
        age(place, "failed")
        place.purge(RUN="failed")
        assert place.storage.folders(place.lake.runs) == ["r1"]


def test_what_a_purge_that_was_interrupted_has_left_goes_the_next_time(nights: Place) -> None:
    """After the first thing that it does, the run is no longer published."""
    latest = json.loads(nights.storage.read(nights.lake.latest).data)
    latest["runs"] = [run for run in latest["runs"] if run["run"] != "r2"]
    nights.storage.write(nights.lake.latest, to_json(latest))
    nights.purge(RUN="r2")
    assert nights.storage.folders(nights.lake.runs) == ["r1", "r3"]


def test_a_name_that_is_no_runs_is_refused(nights: Place) -> None:
    for name in ("..", "r2/csv", "", ".", "r2*", "../images", "r22", "r"):
        with pytest.raises(OrchardError, match=r"^(no run|nothing to purge)"):
            nights.plan(RUN=name)


def test_runs_on_other_images_are_purged_though_they_are_the_newest_of_them(nights: Place) -> None:
    trial = replace(nights, images=f"{nights.images}-2")
    trial.write_run("trial", {"x": "trial"})
    nights.write_run("r4", {"a": "r1", "b": "r3"})
    nights.purge(RUN="trial")
    runs = RunIndex.load(nights.storage, nights.lake).runs
    assert runs == tuple(PublishedRun(f"r{n}", nights.images, FeatureSpec("m")) for n in (1, 2, 3, 4))


def left_of(before: dict[str, bytes], place: Place) -> set[str]:
    """Return what is gone, by folder."""
    gone = set(before) - set(place.contents())
    return {"/".join(name.split("/")[:2]) for name in gone}


def age(place: Place, slug: str) -> None:
    for path in local_path(place.lake.run(slug).uri).rglob("*"):
        os.utime(path, (OLD.timestamp(), OLD.timestamp()))
