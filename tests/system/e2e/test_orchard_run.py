"""`orchard run`: the three jobs without Airflow and EMR, on the same lake."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.orchard_command import run_orchard as orchard
from tests.support.orchard_command import start_orchard
from tests.support.polling import wait_for


@pytest.fixture
def model(untrained_model: Path) -> str:
    return f"file://{untrained_model}"


def test_a_job_that_fails_is_one_line_and_a_run_that_succeeds_is_published(
    sample_images: Path, model: str, tmp_path: Path
) -> None:
    lake = tmp_path / "a lake"
    (sample_images / "broken.jpg").write_bytes(b"no image")
    given = ["run", str(sample_images), "--model", model, "--components", "3"]
    failed = orchard(lake, *given, "--max-failure-ratio", "0")
    assert failed.returncode == 2, failed.stderr
    assert "orchard: featurize failed: 1 of 25 images rejected" in failed.stderr
    assert not (lake / "latest.json").exists()
    done = orchard(lake, *given, "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["counts"] == {"listed": 25, "featurized": 24, "rejected": 1, "known": 0, "deleted": 0}
    assert Path(run["csv"].removeprefix("file://")).read_text().count("\n") == 25
    assert json.loads(orchard(lake, "show", "--json").stdout) == run
    report = orchard(lake, "report")
    assert Path(report.stdout.strip().removeprefix("file://")).read_text().startswith("<!doctype html>"), (
        report.stderr
    )
    again = orchard(lake, *given)
    assert again.returncode == 0, again.stderr
    assert "No new images" in again.stderr
    other = orchard(lake, *given[:-1], "5", "--json")
    assert other.returncode == 0, other.stderr
    assert "No new images: components were fitted on the stored statistics" in other.stderr
    fitted = json.loads(other.stdout)
    assert (fitted["components"], fitted["rows"], fitted["builds_on"]) == (5, 24, run["run"])
    assert fitted["counts"] == {"listed": 25, "featurized": 0, "rejected": 0, "known": 25, "deleted": 0}
    header = Path(fitted["csv"].removeprefix("file://")).read_text().splitlines()[0]
    assert header == "path,label,pc1,pc2,pc3,pc4,pc5"


def test_ctrl_c_ends_spark_too_and_is_one_line(sample_images: Path, model: str, tmp_path: Path) -> None:
    lake = tmp_path / "a lake"
    with start_orchard(lake, "run", str(sample_images), "--model", model) as process:
        wait_for(lambda: list(lake.glob("runs/*/reports/featurize.json")), "the first job")
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 130
    assert error.splitlines()[-1] == "orchard: interrupted; 'orchard runs' lists the published runs"
    assert started
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert not (lake / "latest.json").exists()
