"""The pages where there is nothing but the plugins.zip of `make deploy`: no DAGs, nothing of the checkout."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests

from deployment import pages
from deployment.plan import zip_plugins
from tests.support.airflow.api_server import running_api_server
from tests.support.airflow.deployments import files_of_checkout
from tests.support.ports import free_port
from tests.support.published_runs import published, write_lake

LOAD = """
import sys
sys.path.insert(0, {folder!r})
import orchard_plugin
print([name for name in sys.modules if name.split(".")[0] in ("orchard", "orchard_jobs")])
plugin = orchard_plugin.OrchardPlugin()
(mounted,) = plugin.fastapi_apps
assert plugin.fastapi_apps[0]["app"] is mounted["app"]
import orchard.lake.storage_s3  # which a lake in S3 needs
ours = (sys.modules[name] for name in list(sys.modules) if name.split(".")[0] in ("orchard", "orchard_jobs"))
print(sorted(module.__file__ for module in ours))
"""

ASK = """
import sys
sys.path.insert(0, sys.argv[1])
import orchard_plugin
print(orchard_plugin.OrchardPlugin().fastapi_apps)
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """The folder of plugins, as managed Airflow unpacks it."""
    folder = tmp_path / "plugins"
    zipfile.ZipFile(io.BytesIO(zip_plugins(files_of_checkout()))).extractall(folder)
    return folder


@pytest.fixture
def environ(plugins: Path, tmp_path: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("ORCHARD_", "PYTHON"))}
    write_lake(tmp_path / "lake", [published("a")])
    return {
        **kept,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "no-dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "ORCHARD_LAKE": f"file://{tmp_path}/lake",
    }


def test_the_zip_has_what_the_pages_import_and_no_more(plugins: Path, environ: dict[str, str]) -> None:
    """Whatever else it had would make a plugins.zip that managed Airflow has to be restarted for."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOAD.format(folder=str(plugins))],
        env=environ,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert before == "[]"
    shipped = plugins / pages.NAME
    names = zipfile.ZipFile(shipped).namelist()
    assert after == str(sorted(f"{shipped}/{name}" for name in names if name.endswith(".py")))


def test_an_api_server_without_dags_shows_the_pages_to_those_who_are_logged_in(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with running_api_server(tmp_path / "home", environ, free_port()) as server:
        for path in ("/orchard/", "/orchard/runs/a/run.json", "/orchard/style.css"):
            assert requests.get(f"{server.url}{path}", timeout=60).status_code == 401
        session = server.log_in()
        page = session.get(f"{server.url}/orchard/", timeout=60)
        assert (page.status_code, 'value="a"' in page.text) == (200, True)
        style = session.get(f"{server.url}/orchard/style.css", timeout=60)
        assert "prefers-color-scheme: dark" in style.text
        (plugin,) = session.get(f"{server.url}/api/v2/plugins", timeout=60).json()["plugins"]
        assert [view["destination"] for view in plugin["external_views"]] == ["nav", "dag_run"]
        errors = session.get(f"{server.url}/api/v2/plugins/importErrors", timeout=60).json()
        assert errors["import_errors"] == []


def test_airflow_starts_also_where_the_pages_cannot_be_loaded(plugins: Path, environ: dict[str, str]) -> None:
    (plugins / pages.NAME).write_bytes(b"no zip")
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK, str(plugins)],
        env=environ,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr
    assert "Cannot load Orchard's pages" in done.stdout + done.stderr
