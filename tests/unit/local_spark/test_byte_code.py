"""Spark's Python package with its byte code: imported sooner, and the same."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local_spark.byte_code import compile_modules


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
    assert compile_modules(package)
    said = run_with(
        package,
        "import fruit, pkgutil; print(fruit.__cached__, fruit.RED, pkgutil.get_data('fruit', 'data.json'))",
    )
    assert said == f"{package}/fruit/__init__.pyc red b'{{}}'\n"
    assert list(package.parent.iterdir()) == [package]


def test_a_traceback_names_the_module_and_the_line(package: Path) -> None:
    compile_modules(package)
    said = run_with(package, "import fruit.apple; fruit.apple.fail()")
    assert 'File "fruit/apple.py", line 5, in fail' in said


def test_a_package_that_is_compiled_is_left_alone(package: Path) -> None:
    compile_modules(package)
    before = package.stat().st_ino
    assert not compile_modules(package)
    assert package.stat().st_ino == before


def test_a_package_that_others_share_is_not_changed_for_them(package: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.zip"
    shared.hardlink_to(package)
    before = shared.read_bytes()
    compile_modules(package)
    assert shared.read_bytes() == before
