"""Which job of an application is at work, by the reports that the jobs write."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchard.lake.storage_files import FileStorage
from orchard_cli.pipeline import Watch
from orchard_jobs.run_folder import RunFolder

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def watch(tmp_path: Path, told: Told) -> Watch:
    """Of three jobs, none of which has begun."""
    folder = RunFolder(f"file://{tmp_path}")
    names = ["featurize", "reduce", "export"]
    return Watch(FileStorage(Path("/")), folder, names, lambda name, report: told.append((name, report)))


def write(folder: Path, job: str, text: str) -> None:
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports" / f"{job}.json").write_text(text)


def test_before_there_is_a_report_the_first_job_is_at_work(watch: Watch, told: Told) -> None:
    assert watch.look() == "featurize"
    assert told == [("featurize", {})]


def test_half_a_report_is_none(watch: Watch, told: Told, tmp_path: Path) -> None:
    write(tmp_path, "featurize", '{"state": "succ')
    assert watch.look() == "featurize"
    assert told == [("featurize", {})]


def test_a_job_that_has_ended_is_told_of_once(watch: Watch, told: Told, tmp_path: Path) -> None:
    for job, state in (("featurize", "succeeded"), ("reduce", "running")):
        write(tmp_path, job, json.dumps({"state": state}))
    assert watch.look() == watch.look() == "reduce"
    assert [(name, report["state"]) for name, report in told] == [
        ("featurize", "succeeded"),
        ("reduce", "running"),
        ("reduce", "running"),
    ]


def test_a_job_that_has_failed_stays_the_one_at_work(watch: Watch, tmp_path: Path) -> None:
    write(tmp_path, "featurize", json.dumps({"state": "failed"}))
    assert watch.look() == watch.look() == "featurize"


def test_the_last_job_is_at_work_to_the_end(watch: Watch, told: Told, tmp_path: Path) -> None:
    for job in ("featurize", "reduce", "export"):
        write(tmp_path, job, json.dumps({"state": "succeeded"}))
    assert watch.look() == "export"
    assert [name for name, _ in told] == ["featurize", "reduce", "export"]
