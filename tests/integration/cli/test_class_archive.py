"""The archive of Spark's classes: made by Java, of what a real driver has loaded."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from local_spark.class_archive import ClassArchive
from local_spark.node import NODE_ENV, NODE_PYTHON
from tests.support.airflow.in_process import OUTSIDE

# A driver of PySpark is a child of its JVM.
PROGRAM = """
import os
maps = open(f"/proc/{os.getppid()}/maps").read()
print([line.split(maxsplit=5)[5] for line in maps.splitlines() if line.endswith(".jsa")])
"""
ENVIRONMENT = {**OUTSIDE, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(NODE_PYTHON)}

Command = Callable[[str], Sequence[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / 'the "state" of it'


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The spark-submit of a driver that prints which archives its JVM has mapped."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    submit = str(NODE_ENV / "bin" / "spark-submit")
    return lambda options: [submit, "--conf", f"spark.driver.extraJavaOptions={options}", str(program)]


def run(command: Command, archive: ClassArchive, environment: dict[str, str]) -> str:
    with archive.for_driver() as options:
        return subprocess.run(
            command(options), env=environment, capture_output=True, text=True, check=True
        ).stdout


def test_where_nothing_can_be_written_drivers_start_without(folder: Path, command: Command) -> None:
    folder.touch()
    archive = ClassArchive.of_environment(ENVIRONMENT, folder)
    run(command, archive, ENVIRONMENT)
    assert not archive.can_be_made


def test_where_java_cannot_make_it_drivers_start_without_and_nobody_tries_again(
    folder: Path, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-defaults.conf").touch()
    environment = {**ENVIRONMENT, "SPARK_CONF_DIR": str(tmp_path / "conf")}
    archive = ClassArchive.of_environment(environment, folder)
    run(command, archive, environment)
    assert archive.can_be_made
    archive.make(command, environment)
    assert str(folder) not in run(command, archive, environment)
    assert not archive.can_be_made


def test_a_driver_that_fails_lists_nothing(folder: Path, command: Command) -> None:
    archive = ClassArchive.of_environment(ENVIRONMENT, folder)
    with pytest.raises(subprocess.CalledProcessError):
        run(lambda options: [*command(options)[:-1], "no such program.py"], archive, ENVIRONMENT)
    assert not archive.can_be_made
    assert list(folder.iterdir()) == []


def test_an_interrupted_archive_is_made_another_time(folder: Path) -> None:
    archive = ClassArchive(folder / "new.jsa")
    folder.mkdir()
    (folder / "new.classes").touch()

    def interrupt(options: str) -> Sequence[str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.make(interrupt, ENVIRONMENT)
    assert archive.can_be_made
    assert [path.name for path in folder.iterdir()] == ["new.classes"]


def test_the_first_driver_lists_its_classes_and_the_next_one_maps_them(
    folder: Path, command: Command
) -> None:
    archive = ClassArchive.of_environment(ENVIRONMENT, folder)
    assert str(archive.path) not in run(command, archive, ENVIRONMENT)
    assert archive.can_be_made
    archive.make(command, ENVIRONMENT)
    assert str(archive.path) in run(command, archive, ENVIRONMENT)
    assert not archive.can_be_made


def test_another_configuration_folder_has_another_archive(folder: Path) -> None:
    other = {**ENVIRONMENT, "SPARK_CONF_DIR": "/etc/spark/conf"}
    ours, theirs = (ClassArchive.of_environment(one, folder).path for one in (ENVIRONMENT, other))
    assert ours != theirs


def test_another_java_or_spark_has_another_archive(folder: Path, tmp_path: Path) -> None:
    def name() -> str:
        environ = {"JAVA_HOME": str(tmp_path / "java"), "SPARK_HOME": str(tmp_path / "spark")}
        return ClassArchive.of_environment(environ, folder).path.name

    names = [name()]
    for file in ("java/bin/java", "spark/jars/spark-core.jar"):
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        path.write_bytes(b"one")
        names.append(name())
        path.write_bytes(b"another")
        names.append(name())
    assert len(set(names)) == len(names)


def test_what_killed_runs_and_other_versions_left_goes_with_the_next_archive(folder: Path) -> None:
    archive = ClassArchive(folder / "new.jsa")
    folder.mkdir()
    for name in ("old.jsa", "new.classes", "new.1"):
        (folder / name).touch()
    archive.make(lambda options: ["false"], ENVIRONMENT)
    assert [path.name for path in folder.iterdir()] == ["new.jsa"]
