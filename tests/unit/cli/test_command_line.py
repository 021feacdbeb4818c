"""The front door: what `orchard` lists, how its commands end, and that it opens at once."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from orchard_cli.app import app, main
from tests.support.checkout import ROOT

ORCHARD = ROOT / ".venv" / "bin" / "orchard"
COMMANDS = [
    "run",
    "runs",
    "show",
    "compare",
    "report",
    "open",
    "demo",
    "up",
    "down",
    "history",
    "notebook",
    "model",
    "deploy",
    "preflight",
    "canary",
    "purge",
]
PAGE = (ROOT / "docs" / "reference" / "command-line.md").read_text()
SLOW = ("airflow", "boto3", "botocore", "numpy", "pyarrow", "orchard.lake.storage")


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main([*command, "--help"]) == 0
    return capsys.readouterr().out


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    said = help_of(capsys)
    listed = re.findall(r"^  (\w+)  +[A-Z]", said.split("Commands:")[1], re.MULTILINE)
    assert listed == COMMANDS
    codes = said.split("Exit codes:")[1].split("Examples:")[0]
    assert re.findall(r"^    (\d+) ", codes, re.MULTILINE) == ["0", "1", "2", "130"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_are_commands_that_it_takes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = re.split(r"Examples?:\n", help_of(capsys, name))[1].strip().splitlines()
    assert examples
    for example in examples:
        program, command, *options = shlex.split(example)
        assert (program, command) == ("orchard", name)
        app_command(name).make_context(name, options)  # raises for what the command does not take


def app_command(name: str) -> typer.core.TyperCommand:
    group = typer.main.get_group(app)
    found = group.commands[name]
    assert isinstance(found, typer.core.TyperCommand)
    return found


def test_orchard_alone_is_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    said = help_of(capsys)
    assert main([]) == 0
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["nope"], "No such command 'nope'", "`orchard --help`"),
        (["runs", "--nope"], "No such option: --nope", "`orchard runs --help`"),
        (["runs", "-n", "0"], "Invalid value for '-n'", "`orchard runs --help`"),
        (["run"], "Missing argument 'IMAGES'", "`orchard run --help`"),
        (
            ["demo", "--images", "nowhere"],
            "--images=nowhere: no such folder",
            "Name the folder that contains",
        ),
        (["up", "--emr-port", "http"], "--emr-port=http: it must be a number", "Choose another port"),
        (["deploy", "--bucket", "a/b"], "the bucket 'a/b': it must be the name of a bucket", "--bucket=NAME"),
        (["purge", "--lake", "lake"], "nothing to purge: it requires exactly one of", "Choose one"),
    ],
)
def test_what_is_refused_is_a_line_a_hint_and_exit_code_2(
    arguments: list[str],
    said: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    line, second = capsys.readouterr().err.splitlines()
    assert line.startswith(f"orchard: {said}")
    assert second.startswith("hint: ")
    assert hint in second


def test_the_installed_command_says_its_version_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run([ORCHARD, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"orchard \d+\.\d+\.\d+\n", done.stdout)


def test_help_loads_nothing_that_takes_seconds() -> None:
    program = f"import sys, orchard_cli.app; print([name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_only_the_local_commands_import_development_tooling() -> None:
    product = ("orchard_cli", "local_spark", "erasure", "deployment", "readiness", "canary")
    paths = [path for folder in product for path in (ROOT / folder).rglob("*.py")]
    tooling = re.compile(
        r"^\s*(from|import) (local_airflow|local\.|local_emr|tests|benchmarks)", re.MULTILINE
    )
    assert [path.name for path in paths if tooling.search(path.read_text())] == ["local.py"]


def test_the_page_names_every_command_and_exit_code() -> None:
    assert re.findall(r"^## orchard (\w+)", PAGE, re.MULTILINE) == COMMANDS
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == ["0", "1", "2", "130"]
