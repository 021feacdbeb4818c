"""Every command of the tutorials that needs no AWS account, run as a reader runs it, and what it prints.

A ``console`` block of a page is a session. Lines after ``$`` are commands, all others are output.
In output ``…`` stands for anything, a line of ``…`` alone for any lines, and numbers and hashes for
any others. The commands of a page run one after the other, in a folder and a home of their own.
``make`` is make with this checkout's Makefile, which finds the environments as they are.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.airflow.in_process import OUTSIDE
from tests.support.checkout import ROOT
from tests.support.run_inputs import draw_images

TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = ("first-run.md", "your-own-images.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST = 600.0  # seconds, against a hang
READY = ("setup", "preflight-demo")
"""What targets do before they call the command: environments are there where tests run."""


def list_commands(page: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a page and the output that the page shows."""
    for kind, text in BLOCK.findall(page):
        if kind == "console":
            for session in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", session, re.DOTALL).groups()
                yield command.strip(), output.strip()


def to_pattern(output: str) -> str:
    """Return the pattern of what a page shows."""
    lines = (r"(?:.*\n)*?" if line.strip() == "…" else to_line_pattern(line) for line in output.splitlines())
    return "".join(lines)


def to_line_pattern(line: str) -> str:
    tokens = re.split(r"(…|\b[0-9a-f]{8,}\b|\d[\d.,]*|\s+)", line.strip())
    patterns = [r".*", r"[0-9a-f]+", r"\d[\d.,]*", r"\s+"]
    kinds = (r"…", r"\b[0-9a-f]{8,}\b", r"\d[\d.,]*", r"\s+")

    def one(token: str) -> str:
        for kind, pattern in zip(kinds, patterns, strict=True):
            if re.fullmatch(kind, token):
                return pattern
        return re.escape(token)

    return r"[^\S\n]*" + "".join(map(one, filter(None, tokens))) + r"[^\S\n]*\n"


def matches(shown: str, printed: str) -> bool:
    printed = printed.strip()
    return re.fullmatch(to_pattern(shown), printed and f"{printed}\n") is not None


@pytest.fixture
def reader(tmp_path: Path, untrained_model: Path) -> dict[str, str]:
    """The environment of who follows a tutorial: a home with images and weights, and the commands."""
    home, programs = tmp_path / "home", tmp_path / "bin"
    programs.mkdir()
    draw_images(home / "fruits-360" / "Test", per_class=8)
    (home / "mobilenet_v2.keras").symlink_to(untrained_model / "model.keras")
    orchard, ready = programs / "orchard", " ".join(f"-o {name}" for name in READY)
    python = ROOT / ".venv" / "bin" / "python"
    orchard.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{python}" -m orchard_cli "$@"\n')
    make = programs / "make"
    make.write_text(
        f'#!/bin/sh\nexec /usr/bin/env -u MAKEFLAGS -u MAKELEVEL "{find_make()}" -f "{ROOT}/Makefile" '
        f'{ready} ORCHARD="{orchard}" "$@"\n'
    )
    for program in (orchard, make):
        program.chmod(0o755)
    return {
        **OUTSIDE,
        "HOME": str(home),
        "ORCHARD_STATE": str(tmp_path / "state"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }


def find_make() -> str:
    return subprocess.run(["which", "make"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_tutorial_prints_what_the_page_shows(
    name: str, reader: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "orchard"
    folder.mkdir()
    commands = list(list_commands((TUTORIALS / name).read_text()))
    assert commands
    for command, shown in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=reader,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        assert matches(shown, done.stdout), f"$ {command}\n{done.stdout}\nbut the page shows\n{shown}"


@pytest.mark.parametrize("name", PAGES)
def test_no_command_of_these_tutorials_is_left_out(name: str) -> None:
    """What is not a session is output or a picture of files; commands elsewhere would not be run."""
    assert {kind for kind, _ in BLOCK.findall((TUTORIALS / name).read_text())} <= {"console", "text"}


@pytest.mark.parametrize(
    ("shown", "printed", "agree"),
    [
        ("rows  300", "rows 24", True),
        ("rows 300", "rows: 300", False),
        ("a\n…\nb", "a\nx\ny\nb", True),
        ("a\n…\nb", "a\nx\ny", False),
        ("run 304d03ca on …", "run 7f0384f9 on local[2]", True),
        ("", "anything", False),
        ("", "", True),
    ],
)
def test_what_is_shown_and_what_is_printed_are_compared(shown: str, printed: str, agree: bool) -> None:
    assert matches(shown, printed) == agree
