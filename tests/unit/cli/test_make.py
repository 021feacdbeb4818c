"""Make's targets are thin: variables reach the command `orchard` unchanged, with spaces and quotes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

ODD = """it's a "b" $HOME; `c` \\ *"""
VARIABLES = (
    "IMAGES",
    "WEIGHTS",
    "LAKE",
    "MODELS",
    "MODEL",
    "PORT",
    "EMR_PORT",
    "RUN",
    "IMAGE",
    "ALL",
    "CONFIRM",
)
VARIABLES += ("BUCKET", "REVISION", "REGION", "DRY_RUN")
# Prerequisites of the targets: where tests run, the environments exist.
LEFT_OUT = (
    "setup",
    "preflight-demo",
    "preflight-up",
    ".venv/.orchard-ready",
    ".venv-notebook/.jupyterlab-ready",
)


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """Replaces `orchard`: prints its arguments."""
    path = tmp_path / "orchard"
    path.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    path.chmod(0o755)
    return path


def make(command: Path, target: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: text for name, text in os.environ.items() if name not in VARIABLES}
    old = [part for name in LEFT_OUT for part in ("-o", name)]
    return subprocess.run(
        ["make", *old, f"ORCHARD={command}", target],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("target", "variables", "expected"),
    [
        ("demo", {}, []),
        (
            "demo",
            {"IMAGES": ODD, "WEIGHTS": ODD, "LAKE": ODD, "EMR_PORT": "1"},
            [f"--images={ODD}", f"--weights={ODD}", f"--lake={ODD}", "--emr-port=1"],
        ),
        (
            "up",
            {"IMAGES": ODD, "WEIGHTS": ODD, "LAKE": ODD, "PORT": "2", "EMR_PORT": "1"},
            [f"--images={ODD}", f"--weights={ODD}", f"--lake={ODD}", "--port=2", "--emr-port=1"],
        ),
        ("down", {}, []),
        ("history", {"LAKE": ODD, "PORT": "2"}, [f"--lake={ODD}", "--port=2"]),
        ("notebook", {"LAKE": ODD}, [f"--lake={ODD}"]),
        ("model", {"MODELS": ODD, "WEIGHTS": ODD}, [f"--models={ODD}", f"--weights={ODD}"]),
        (
            "purge",
            {"LAKE": ODD, "IMAGES": ODD, "IMAGE": f"-{ODD}", "CONFIRM": "1"},
            [f"--lake={ODD}", f"--images={ODD}", f"--image=-{ODD}", "--confirm=1"],
        ),
        ("purge", {"RUN": "r"}, ["--run=r"]),
        ("purge", {"ALL": "1", "CONFIRM": "s3://lake"}, ["--all", "--confirm=s3://lake"]),
        (
            "deploy",
            {"BUCKET": "b", "MODEL": ODD, "REVISION": ODD, "REGION": "eu-west-3", "DRY_RUN": "1"},
            ["--bucket=b", f"--model={ODD}", f"--revision={ODD}", "--region=eu-west-3", "--dry-run"],
        ),
        ("deploy", {"BUCKET": "b", "DRY_RUN": "0"}, ["--bucket=b"]),
    ],
)
def test_variables_are_passed_on_as_they_are(
    command: Path, target: str, variables: dict[str, str], expected: list[str]
) -> None:
    done = make(command, target, **variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [target, *expected]


def test_a_variable_on_the_command_line_is_passed_on_too(command: Path) -> None:
    done = subprocess.run(
        ["make", "-o", "setup", f"ORCHARD={command}", "purge", """IMAGE=a 'b' "c".jpg""", "CONFIRM=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["purge", """--image=a 'b' "c".jpg""", "--confirm=1"]


@pytest.mark.parametrize("value", ["yes", "0"])
def test_everything_is_purged_for_one_value_only(command: Path, value: str) -> None:
    done = make(command, "purge", ALL=value)
    assert (done.returncode, done.stdout) == (2, "")
    assert "orchard: ALL must be 1." in done.stderr


def test_make_alone_lists_its_targets(command: Path) -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert {"demo", "test", "up", "down", "history", "notebook", "model", "purge", "deploy", "lint"} <= listed


def make_alone(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run make like a user, not as a child of the make that runs the tests."""
    of_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: text for name, text in os.environ.items() if name not in of_make}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_a_python_that_is_not_there_is_one_line_and_a_hint() -> None:
    line, hint, *_ = make_alone("demo", "PYTHON=nowhere").stderr.splitlines()
    assert line == "orchard: PYTHON=nowhere: no such program."
    assert hint.startswith("hint: Name a Python 3.11, 3.12 or 3.13")


def test_the_list_of_targets_is_grouped() -> None:
    listed = make_alone("help").stdout
    heads = [line for line in listed.splitlines() if line and not line.startswith("  ")]
    assert heads[:3] == ["Run it on this machine", "Test", "Measure"]
    assert listed.index("  demo ") < listed.index("\nTest\n") < listed.index("  test ")
