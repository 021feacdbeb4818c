"""The bootstrap script and the package that a cluster gets, as far as no network is needed."""

import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.jobs.conftest import ROOT

SCRIPT = ROOT / "bootstrap" / "install_node.sh"


def install(
    *arguments: str, path: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHON": sys.executable, **variables}
    if path:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A code folder whose requirements are empty, so that nothing is downloaded."""
    folder = tmp_path / "a code folder"
    folder.mkdir()
    (folder / "requirements.txt").write_text("# none\n")
    (folder / "requirements-tensorflow.txt").write_text("# none with TensorFlow\n")
    return folder


def test_an_environment_is_made_once_and_left_alone_after_that(source: Path, tmp_path: Path) -> None:
    arguments = ["--target", str(tmp_path / "venv"), "--source", f"file://{source}"]
    first, second = install(*arguments), install(*arguments)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "made" in first.stdout
    assert "up to date" in second.stdout
    (source / "requirements.txt").write_text("# other pins\n")
    assert "made" in install(*arguments).stdout


def test_an_environment_with_tensorflow_serves_those_who_need_none(source: Path, tmp_path: Path) -> None:
    arguments = ["--target", str(tmp_path / "venv"), "--source", f"file://{source}"]
    assert "made" in install(*arguments, "--with-tensorflow").stdout
    assert "up to date" in install(*arguments).stdout


def test_code_on_s3_without_a_wheelhouse_is_installed_from_the_index(source: Path, tmp_path: Path) -> None:
    """`aws s3 sync` makes an empty folder for a prefix that is not there: that is no wheelhouse."""
    (source / "requirements.txt").write_text(f"none-such==1.0 --hash=sha256:{'0' * 64}\n")
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    copy = f'cp "{source}/$(basename "$4")" "$5"'
    aws.write_text(f'#!/bin/bash\nif [ "$2" = sync ]; then mkdir -p "$5"; else {copy}; fi\n')
    aws.chmod(0o755)
    with socket.socket() as index:  # answers nobody, but sees who asks
        index.bind(("127.0.0.1", 0))
        index.listen()
        index.settimeout(60)
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        pip = {"PIP_INDEX_URL": url, "PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "1"}
        done = install("--target", str(tmp_path / "venv"), "--source", "s3://l/code", path=aws.parent, **pip)
        assert done.returncode != 0
        asked, _ = index.accept()
        assert asked.recv(100).startswith(b"GET /simple/none-such/")
        asked.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--target and --source are both needed"),
        (["--target", "x", "--source", "/x"], "--source /x: it takes file:///folder or s3://bucket/folder"),
        (["--fast"], "unknown argument --fast: the arguments are --target DIR --source URI"),
        (["--target", "x", "--source", "file:///nonexistent"], "it has no requirements.txt"),
    ],
)
def test_a_bad_argument_is_one_clear_error(arguments: list[str], said: str) -> None:
    done = install(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_package_is_the_same_for_the_same_sources_and_holds_every_module(tmp_path: Path) -> None:
    for name in "12":
        subprocess.run([sys.executable, ROOT / "bootstrap" / "package.py", tmp_path / name], check=True)
    first, second = ((tmp_path / name / "orchard_jobs.zip").read_bytes() for name in "12")
    assert first == second
    modules = {f"orchard_jobs/{path.name}" for path in (ROOT / "spark_jobs" / "orchard_jobs").glob("*.py")}
    assert set(zipfile.ZipFile(tmp_path / "1" / "orchard_jobs.zip").namelist()) == modules
