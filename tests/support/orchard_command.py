"""Runs the command `orchard` like a user."""

import subprocess
from pathlib import Path

from tests.support.airflow.in_process import OUTSIDE
from tests.support.checkout import ROOT


def run_orchard(lake: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command `orchard` as a user does."""
    with start_orchard(lake, *arguments) as process:
        out, error = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def start_orchard(lake: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command `orchard`."""
    environment = {**OUTSIDE, "ORCHARD_LAKE": str(lake)}
    command = [str(ROOT / ".venv" / "bin" / "orchard"), *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
