"""The archive of Spark's classes: made by Java, of what a real driver has loaded."""

import subprocess
from pathlib import Path

import pytest

from local_spark import class_archive
from local_spark.class_archive import build_archive, driver_options, find_archive
from local_spark.node import NODE_ENV, NODE_PYTHON
from tests.support.airflow.in_process import OUTSIDE

# A driver of PySpark is a child of its JVM.
PROGRAM = """
import os
maps = open(f"/proc/{os.getppid()}/maps").read()
print([line.split(maxsplit=5)[5] for line in maps.splitlines() if line.endswith(".jsa")])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / 'the "state" of it'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive."""
    folder = tmp_path_factory.mktemp("archive") / 'the "state" of it'
    assert build_archive(OUTSIDE, folder)
    return folder


def run_driver(tmp_path: Path, options: str, conf_dir: Path) -> "subprocess.CompletedProcess[str]":
    """Run a driver that prints which archives its JVM has mapped."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    added = {"SPARK_SUBMIT_OPTS": options, "SPARK_CONF_DIR": str(conf_dir), "SPARK_LOCAL_IP": "127.0.0.1"}
    return subprocess.run(
        [str(NODE_ENV / "bin" / "spark-submit"), str(program)],
        env={**OUTSIDE, **added, "PYSPARK_PYTHON": str(NODE_PYTHON)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_where_nothing_can_be_written_drivers_start_without(folder: Path) -> None:
    folder.touch()
    assert not build_archive(OUTSIDE, folder)
    assert driver_options(OUTSIDE, folder) == ""


def test_where_java_cannot_make_it_drivers_start_without_and_nobody_tries_again(
    folder: Path, tmp_path: Path
) -> None:
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    environ = {**OUTSIDE, "JAVA_HOME": str(tmp_path / "java")}
    assert not build_archive(environ, folder)
    assert driver_options(environ, folder) == ""
    assert [*folder.iterdir()] == [find_archive(environ, folder)]


def test_a_configuration_with_a_file_in_it_is_one_that_java_refuses_in_silence(
    made: Path, tmp_path: Path
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-defaults.conf").touch()
    without = run_driver(tmp_path, "", tmp_path / "conf")
    refused = run_driver(tmp_path, driver_options(OUTSIDE, made), tmp_path / "conf")
    assert str(made) not in refused.stdout
    assert refused.stderr.count("\n") == without.stderr.count("\n")


def test_a_driver_maps_the_archive_wherever_its_configuration_would_be(made: Path, tmp_path: Path) -> None:
    for name in ("no-conf", "elsewhere"):
        driver = run_driver(tmp_path, driver_options(OUTSIDE, made), tmp_path / name)
        assert str(find_archive(OUTSIDE, made)) in driver.stdout


def test_another_java_or_spark_has_another_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_archive, "NODE_ENV", tmp_path / "env")

    def name() -> str:
        return find_archive({"JAVA_HOME": str(tmp_path / "java")}).name

    names = [name()]
    for file in ("java/bin/java", "env/lib/python3.11/site-packages/pyspark/jars/spark-core.jar"):
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        path.write_bytes(b"one")
        names.append(name())
        path.write_bytes(b"another")
        names.append(name())
    assert len(set(names)) == len(names)


def test_archives_of_other_versions_and_what_killed_runs_left_go_with_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    for name in ("old.jsa", "new.1"):
        (folder / name).touch()
    monkeypatch.setattr(class_archive, "_run_application", lambda environ, options: False)
    build_archive(OUTSIDE, folder)
    assert [*folder.iterdir()] == [find_archive(OUTSIDE, folder)]
