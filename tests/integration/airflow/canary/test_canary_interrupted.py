"""Ctrl-C and SIGTERM, sent to the command at its worst moments: it ends what it made, and says so."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.airflow.canary.conftest import StartEmr
from tests.support.airflow.dag_runs import behave, live_clusters
from tests.support.checkout import ROOT

SLOW_START = ("--provisioning-seconds", "600")
NEVER_IDLE = ("--speedup", "0.01")
STARTING, STEP, IDLE = ("is STARTING",), ("featurize",), ("idle cluster", "is WAITING")
"""What the command has said, one after the other, when it is interrupted."""


def start(environ: dict[str, str], folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    command = [sys.executable, "-m", "orchard_cli", "canary", "--yes", "--report", "canary.md"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def wait_for_news(process: "subprocess.Popen[str]", *news: str) -> None:
    """Read the command's news until it has said all of these."""
    assert process.stderr
    left, said = list(news), []
    for line in process.stderr:
        said.append(line)
        if left and left[0] in line:
            left.pop(0)
        if not left:
            return
    raise AssertionError(f"it ended before it said {left[0]}: {''.join(said)}")


def list_files(lake: Path) -> set[Path]:
    return {path for path in lake.rglob("*") if path.is_file() and path.name != ".keep"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize(
    ("options", "moment"),
    [(SLOW_START, STARTING), (NEVER_IDLE, STEP), (NEVER_IDLE, IDLE)],
    ids=["while the cluster starts", "while a step runs", "while a cluster is idle"],
)
def test_an_interrupted_canary_leaves_nothing(
    number: signal.Signals,
    options: tuple[str, ...],
    moment: tuple[str, ...],
    start_emr: StartEmr,
    canary_environ: dict[str, str],
    node: Path,
    tmp_path: Path,
) -> None:
    start_emr(*options)
    if moment == STEP:
        behave(node, featurize="hang")
    before = list_files(tmp_path / "a lake")
    with start(canary_environ, tmp_path) as process:
        wait_for_news(process, *moment)
        assert live_clusters() != []
        process.send_signal(number)
        out, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "Interrupted: terminating the clusters" in error
    assert "no clusters left" in out
    assert live_clusters() == []
    assert list_files(tmp_path / "a lake") == before
    assert "| ended | interrupted |" in (tmp_path / "canary.md").read_text()


def test_a_second_ctrl_c_is_answered_and_does_not_end_the_cleaning_up(
    start_emr: StartEmr, canary_environ: dict[str, str], tmp_path: Path
) -> None:
    start_emr(*SLOW_START)
    before = list_files(tmp_path / "a lake")
    with start(canary_environ, tmp_path) as process:
        wait_for_news(process, *STARTING)
        process.send_signal(signal.SIGINT)
        wait_for_news(process, "Interrupted")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert (
        "Still cleaning up; Ctrl-C does not interrupt this. If you kill the process: aws emr terminate"
        in error
    )
    assert live_clusters() == []
    assert list_files(tmp_path / "a lake") == before


def test_without_yes_and_without_a_terminal_nothing_is_done(
    start_emr: StartEmr, canary_environ: dict[str, str], tmp_path: Path
) -> None:
    start_emr()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **canary_environ}
    command = [sys.executable, "-m", "orchard_cli", "canary"]
    given = {"cwd": tmp_path, "env": environment, "stdin": subprocess.DEVNULL}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **given)
    assert done.returncode == 2
    assert done.stderr.startswith("orchard: Two clusters, one after the other, of 1 primary and 1 core node")
    assert "at most 0.22 $" in done.stderr
    assert "hint: Add --yes." in done.stderr
    assert live_clusters() == []


def test_a_report_that_cannot_be_written_is_refused_before_anything_costs_money(
    start_emr: StartEmr, canary_environ: dict[str, str], tmp_path: Path
) -> None:
    start_emr()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **canary_environ}
    command = [sys.executable, "-m", "orchard_cli", "canary", "--yes", "--report", "missing/canary.md"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, live_clusters()) == (2, [])
    assert done.stderr.startswith(
        "orchard: --report=missing/canary.md: it must be a file in a writable folder."
    )
