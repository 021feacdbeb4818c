"""The local EMR is an independent package: it works as its README says without the rest of Orchard."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from local_emr.server import EmrServer
from tests.support.checkout import ROOT
from tests.support.local_emr_client import node_python

PACKAGE = ROOT / "local_emr"
README = (PACKAGE / "README.md").read_text()
FILES_IN_README = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE))
# Each may import those after it, and none before it.
LAYERS = (
    ("__main__", "launcher", "pytest_plugin"),
    ("server",),
    ("requests",),
    ("execution",),
    ("clusters",),
    ("validation",),
    ("faults",),
    ("settings",),
    ("authentication",),
    ("errors", "service_model"),
)
IMPORT_ALL = """
import importlib, json, pkgutil, sys
import local_emr
for module in pkgutil.walk_packages(local_emr.__path__, "local_emr."):
    importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""

RUN_EXAMPLE = """
import os, sys
from pathlib import Path
from local_emr.launcher import running_emr
with running_emr(Path(sys.argv[1]), Path("work"), log_file=Path("log")) as endpoint:
    os.environ.update(endpoint.variables())
    exec(Path("example.py").read_text().replace("http://127.0.0.1:8998", endpoint.url))
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with only a copy of the package."""
    shutil.copytree(PACKAGE, tmp_path / "local_emr", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "JAVA_HOME")}
    environment["PYTHONPATH"] = str(folder)
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def test_every_module_is_imported_without_the_rest_of_the_project(elsewhere: Path) -> None:
    done = run_python(elsewhere, "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    modules = {
        ".".join(path.relative_to(elsewhere).with_suffix("").parts).removesuffix(".__init__")
        for path in (elsewhere / "local_emr").rglob("*.py")
    }
    assert modules <= set(loaded)
    foreign = re.compile(r"(airflow|orchard\w*|local|cli|deploy|purge|plugins|tests|pyspark)(\.|$)")
    assert [name for name in loaded if foreign.match(name)] == []


def test_imports_run_one_way() -> None:
    floor = {name: number for number, names in enumerate(LAYERS) for name in names}
    upward = []
    for path in sorted(PACKAGE.rglob("*.py")):
        here = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for module in re.findall(r"^\s*(?:from|import) local_emr\.([\w.]+)", path.read_text(), re.MULTILINE):
            there = module.split(".")[0]
            if there != here and floor[there] <= floor[here]:
                upward.append(f"{path.relative_to(PACKAGE)} imports local_emr.{module}")
    assert upward == []
    assert "from local_emr import" not in "".join(path.read_text() for path in PACKAGE.rglob("*.py"))


def test_help_shows_an_example(elsewhere: Path) -> None:
    done = run_python(elsewhere, "-m", "local_emr", "--help")
    assert done.returncode == 0, done.stderr
    assert "example:\n  $ python -m local_emr --port 8998" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "local EMR: port is 99999: it must be between 0 and 65535\n"),
        (["--cores", "-1"], "local EMR: cores is -1: it must be greater than 0\n"),
        (
            ["--port", "x"],
            "usage: python -m local_emr [options]\n"
            "python -m local_emr: error: argument --port: invalid int value: 'x'\n",
        ),
    ],
)
def test_a_wrong_option_is_one_clear_line(elsewhere: Path, arguments: list[str], message: str) -> None:
    done = run_python(elsewhere, "-m", "local_emr", *arguments)
    assert (done.returncode, done.stderr) == (2, message)


def test_the_example_of_the_readme_prints_what_it_says(elsewhere: Path) -> None:
    (elsewhere / "example.py").write_text(FILES_IN_README["example.py"])
    done = run_python(elsewhere, "-c", RUN_EXAMPLE, str(node_python()))
    assert done.returncode == 0, done.stderr
    said = re.search(r"^```text\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert said is not None
    assert done.stdout == said[1]


def test_the_tests_of_the_readme_pass_in_another_project(elsewhere: Path) -> None:
    for name in ("conftest.py", "test_cluster.py"):
        (elsewhere / name).write_text(FILES_IN_README[name])
    done = run_python(elsewhere, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(elsewhere))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_readme_names_the_actions_that_there_are(server: EmrServer) -> None:
    headers = {"X-Amz-Target": "ElasticMapReduce.ListStudios", "Content-Type": "application/json"}
    headers = server.endpoint.access_key.sign("POST", f"{server.url}/", headers, b"{}")
    request = urllib.request.Request(server.url, b"{}", headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    actions = json.load(refused.value)["message"].partition("it has ")[2].split(", ")
    section = README.partition("The actions are:\n")[2].partition("Any other action")[0]
    assert sorted(re.findall(r"`(\w+)`", section)) == actions
