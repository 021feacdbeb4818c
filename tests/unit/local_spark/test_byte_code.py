"""Spark's Python package with its byte code: imported sooner, and the same."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local_spark.byte_code import add_byte_code


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("fruit/__init__.py", "from fruit.apple import RED\n")
        package.writestr("fruit/apple.py", "RED = 'red'\n\n\ndef fail():\n    raise ValueError(RED)\n")
        package.writestr("fruit/data.json", "{}")
    return path


def run_with(package: Path, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_modules_are_imported_from_byte_code_and_all_else_stays(package: Path) -> None:
    assert add_byte_code(package)
    said = run_with(
        package,
        "import fruit, pkgutil; print(fruit.__cached__, fruit.RED, pkgutil.get_data('fruit', 'data.json'))",
    )
    assert said == f"{package}/fruit/__init__.pyc red b'{{}}'\n"
    assert list(package.parent.iterdir()) == [package]


def test_a_traceback_shows_the_source(package: Path) -> None:
    add_byte_code(package)
    said = run_with(package, "import fruit.apple; fruit.apple.fail()")
    assert "line 5, in fail" in said


def test_a_package_that_has_its_byte_code_is_left_alone(package: Path) -> None:
    add_byte_code(package)
    before = package.stat().st_ino
    assert not add_byte_code(package)
    assert package.stat().st_ino == before


def test_a_package_that_others_share_is_not_changed_for_them(package: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.zip"
    shared.hardlink_to(package)
    before = shared.read_bytes()
    add_byte_code(package)
    assert shared.read_bytes() == before
