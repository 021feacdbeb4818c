"""Bad arguments of `make demo` and `make up` get one line and the remedy, before any work."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

Check = Callable[..., "subprocess.CompletedProcess[str]"]


FREE_PORT = 45871  # as far as one can know


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(target: str, **variables: object) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "spark_jobs")}
        environment["LAKE"] = str(tmp_path / "lake")
        if "JAVA_HOME" in os.environ:
            environment["JAVA_HOME"] = os.environ["JAVA_HOME"]
        return subprocess.run(
            [sys.executable, ROOT / "local_airflow" / "preflight.py", target],
            env={**environment, **{name: str(value) for name, value in variables.items()}},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images" / "apple").mkdir(parents=True)
    (tmp_path / "images" / "apple" / "1.jpg").write_bytes(b"an image")
    return tmp_path / "images"


def fake_java(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    return folder


def test_what_is_fine_says_nothing(check: Check, images: Path) -> None:
    done = check("demo", IMAGES=images)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"IMAGES": "nowhere"}, "IMAGES=nowhere: no such folder. Name the folder that contains"),
        ({"IMAGES": "empty"}, "IMAGES=empty: it contains no files. Name the folder that contains"),
        ({"IMAGES": "hidden"}, "IMAGES=hidden: it contains no files. Name the folder that contains"),
        (
            {"WEIGHTS": "nowhere.h5"},
            "WEIGHTS=nowhere.h5: it must be an existing .h5 or .keras file, or",
        ),
        ({"WEIGHTS": "a file"}, "WEIGHTS=a file: it must be an existing .h5 or .keras file, or"),
        ({"LAKE": "a file"}, "LAKE=a file: cannot write there (File exists)."),
        ({"LAKE": "la[k]e"}, "LAKE=la[k]e: its path must not contain any of "),
        (
            {"IMAGES": "images", "LAKE": "images/lake"},
            "LAKE=images/lake: it must not be inside IMAGES=images",
        ),
        ({"EMR_PORT": "eighty"}, "EMR_PORT=eighty: it must be a number from 1 to 65535."),
    ],
)
def test_a_bad_argument_gets_one_line_and_exit_code_2(
    check: Check,
    images: Path,
    tmp_path: Path,
    variables: dict[str, str],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".DS_Store").touch()
    (tmp_path / "a file").touch()
    done = check("demo", **variables)
    assert done.returncode == 2
    line, hint = done.stderr.splitlines()
    assert f"{line} {hint.removeprefix('hint: ')}".startswith(f"orchard: {said}")


@pytest.mark.parametrize(
    ("version", "code"), [("1.8.0_392", 2), ("11.0.2", 2), ("17.0.15", 0), ("21", 0), ("25", 2)]
)
def test_spark_runs_on_java_17_and_21_only(check: Check, tmp_path: Path, version: str, code: int) -> None:
    done = check("setup", JAVA_HOME=fake_java(tmp_path / "jdk", version))
    assert done.returncode == code
    assert (": Spark needs Java 17 or 21.\nhint: Install a JDK 17 or 21" in done.stderr) == (code == 2)


def test_a_machine_without_java_is_told_so(check: Check, tmp_path: Path) -> None:
    assert "no java in JAVA_HOME or on the PATH" in check("setup", JAVA_HOME=tmp_path).stderr


@pytest.mark.parametrize(("target", "variable"), [("demo", "EMR_PORT"), ("up", "PORT"), ("up", "EMR_PORT")])
def test_a_taken_port_is_named(check: Check, target: str, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = check(target, **{"PORT": FREE_PORT, variable: port})
    assert done.returncode == 2
    assert f"{variable}={port}: Address already in use on 127.0.0.1" in done.stderr


def test_a_lake_that_may_not_be_written_is_named(check: Check, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot write there (Permission denied)" in check("demo", LAKE=tmp_path / "locked" / "lake").stderr
