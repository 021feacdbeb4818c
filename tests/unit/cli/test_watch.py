"""Which job of an application is running, according to the jobs' metrics."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchard.lake.storage_files import FileStorage
from orchard_cli.pipeline import Watch
from orchard_jobs.run_folder import RunFolder

Shown = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def shown() -> Shown:
    return []


@pytest.fixture
def watch(tmp_path: Path, shown: Shown) -> Watch:
    """Watches three jobs, none of which has started."""
    folder = RunFolder(f"file://{tmp_path}")
    names = ["featurize", "reduce", "export"]
    return Watch(FileStorage(Path("/")), folder, names, lambda name, metrics: shown.append((name, metrics)))


def write(folder: Path, job: str, text: str) -> None:
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports" / f"{job}.json").write_text(text)


def test_the_first_job_is_running_before_there_are_metrics(watch: Watch, shown: Shown) -> None:
    assert watch.update() == "featurize"
    assert shown == [("featurize", {})]


def test_incomplete_metrics_are_ignored(watch: Watch, shown: Shown, tmp_path: Path) -> None:
    write(tmp_path, "featurize", '{"state": "succ')
    assert watch.update() == "featurize"
    assert shown == [("featurize", {})]


def test_a_finished_job_is_shown_once(watch: Watch, shown: Shown, tmp_path: Path) -> None:
    for job, state in (("featurize", "succeeded"), ("reduce", "running")):
        write(tmp_path, job, json.dumps({"state": state}))
    assert watch.update() == watch.update() == "reduce"
    assert [(name, metrics["state"]) for name, metrics in shown] == [
        ("featurize", "succeeded"),
        ("reduce", "running"),
        ("reduce", "running"),
    ]


def test_a_failed_job_stays_the_current_one(watch: Watch, tmp_path: Path) -> None:
    write(tmp_path, "featurize", json.dumps({"state": "failed"}))
    assert watch.update() == watch.update() == "featurize"


def test_the_last_job_stays_the_current_one(watch: Watch, shown: Shown, tmp_path: Path) -> None:
    for job in ("featurize", "reduce", "export"):
        write(tmp_path, job, json.dumps({"state": "succeeded"}))
    assert watch.update() == "export"
    assert [name for name, _ in shown] == ["featurize", "reduce", "export"]
