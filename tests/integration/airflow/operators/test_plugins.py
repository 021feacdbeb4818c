"""Airflow's own loader of plugins, on ours: it imports one module, and nothing is imported twice."""

import json
import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from deployment.plan import zip_plugins
from tests.support.airflow.deployments import files_of_checkout
from tests.support.checkout import ROOT

# A module that the loader imports once more replaces the first one: it is seen when its code is executed.
LOAD = """
import importlib, json, os, sys
from collections import Counter

executed = Counter()

def note(event, arguments):
    if event == "exec" and getattr(arguments[0], "co_name", "") == "<module>":
        executed[arguments[0].co_filename] += 1

sys.addaudithook(note)
modules, folder = json.loads(sys.argv[1]), os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"]
import airflow.plugins_manager
early, late = modules[::2], modules[1::2]
for name in early:
    importlib.import_module(name)
airflow.plugins_manager.ensure_plugins_loaded()
for name in late:
    importlib.import_module(name)
print(json.dumps({
    "executed": {os.path.relpath(f, folder): n for f, n in executed.items() if f.startswith(folder + os.sep)},
    "modules": sorted(
        name for name, module in sys.modules.items()
        if str(getattr(module, "__file__", None)).startswith(folder + os.sep)
    ),
    "errors": airflow.plugins_manager.get_import_errors(),
    "plugins": [info["name"] for info in airflow.plugins_manager.get_plugin_info(["name"])],
}))
"""


@pytest.fixture(params=["as in the checkout", "unpacked from plugins.zip"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of plugins."""
    if request.param == "as in the checkout":
        return ROOT / "plugins"
    zipfile.ZipFile(BytesIO(zip_plugins(files_of_checkout()))).extractall(tmp_path / "plugins")
    return tmp_path / "plugins"


def load(folder: Path, home: Path, modules: list[str], **variables: str) -> dict[str, Any]:
    """Have Airflow load the plugins in a process that imports ``modules`` too, half of them before it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("ORCHARD_", "PYTHON"))}
    environ = {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOAD, json.dumps(modules)],
        env=environ,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return loaded


def module_of(path: Path) -> str:
    """Return the name of a module by its path from the folder of plugins."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def test_the_loader_imports_one_module_and_none_is_imported_twice(folder: Path, tmp_path: Path) -> None:
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.py"))
    names = [module_of(path) for path in paths]
    assert {"orchard_plugin", "orchard_airflow.triggers", "orchard_airflow.operators.step"} <= set(names)
    loaded = load(folder, tmp_path / "home", [name for name in names if name != "orchard_plugin"])
    assert loaded == {
        "executed": {str(path): 1 for path in paths},
        "modules": sorted(names),
        "errors": {},
        "plugins": ["orchard"],
    }


@pytest.mark.parametrize("syntax", ["glob", "regexp"])
def test_the_loader_skips_the_package_in_either_syntax_of_ignore_files(
    syntax: str, folder: Path, tmp_path: Path
) -> None:
    """What it then imports is the plugin, and of the package what the plugin imports, under its full name."""
    loaded = load(folder, tmp_path / "home", [], AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX=syntax)
    assert [name for name in loaded["modules"] if "." not in name] == ["orchard_airflow", "orchard_plugin"]
    assert set(loaded["executed"].values()) == {1}
