"""The DAG runs from what `make deploy` uploaded, where nothing of the checkout can be imported."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_emr.launcher import running_emr
from orchard.settings.feature_spec import FeatureSpec
from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks
from orchard.workflow.trigger_form import params
from tests.support.airflow.deployments import BUCKET, Repository, objects, read
from tests.support.checkout import ROOT
from tests.support.local_emr_client import point_to

SUPPORT = ROOT / "tests" / "support" / "airflow"

# Before the fake jobs: the code is what the step names, and the node's Python what the bootstrap action made.
FROM_S3 = """
import os, subprocess, sys, tempfile
import boto3
bucket, _, key = sys.argv[sys.argv.index("--py-files") + 1].removeprefix("s3://").partition("/")
code = os.path.join(tempfile.mkdtemp(), "orchard_jobs.zip")
boto3.client("s3").download_file(bucket, key, code)
sys.path.insert(0, code)
subprocess.run([os.environ["PYSPARK_PYTHON"], "-c", "import tiny"], check=True)
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The bin folder of a node that has the AWS CLI and spark-submit, as far as they are needed."""
    folder = tmp_path / "node" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    (folder / "behaviour.json").write_text("{}")
    programs = {
        "aws": (SUPPORT / "aws_s3_sync.py").read_text(),
        "spark-submit": FROM_S3 + (SUPPORT / "fake_spark_submit.py").read_text(),
    }
    for name, source in programs.items():
        (folder / name).write_text(f"#!{sys.executable}\n{source}")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def airflow(s3: Any, tmp_path: Path) -> Callable[..., str]:
    """Runs Airflow on the bucket as it is, as managed Airflow does; gives what it said."""
    home = tmp_path / "airflow"

    def synchronise() -> None:
        for key in objects(s3):
            if key.startswith("dags/"):
                (home / key).parent.mkdir(parents=True, exist_ok=True)
                (home / key).write_bytes(read(s3, key))
        zipfile.ZipFile(io.BytesIO(read(s3, "plugins.zip"))).extractall(home / "plugins")

    def run(*arguments: str, **variables: str) -> str:
        synchronise()
        environment = {
            **{
                name: text for name, text in os.environ.items() if not name.startswith(("ORCHARD_", "PYTHON"))
            },
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "ORCHARD_LAKE": f"file://{tmp_path}/lake",
            "ORCHARD_IMAGES": f"file://{tmp_path}/images",
            "ORCHARD_NODE_ENV": str(tmp_path / "venv"),
            "ORCHARD_POLL_INTERVAL": "1",
            "ORCHARD_LOG_TIMEOUT": "5",
            "ORCHARD_RETRIES": "0",
            **variables,
        }
        command = [sys.executable, "-P", "-m", "airflow", *arguments]
        done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_run_uses_what_was_uploaded(
    deploy: Callable[..., int],
    airflow: Callable[..., str],
    repository: Repository,
    model: Path,
    node: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert deploy(MODEL=str(model)) == 0
    (tmp_path / "images" / "apple").mkdir(parents=True)
    (tmp_path / "images" / "apple" / "1.jpg").write_bytes(b"an image")
    with running_emr(node / "python", tmp_path / "emr", log_file=tmp_path / "emr.log") as endpoint:
        point_to(endpoint, monkeypatch)
        airflow("db", "migrate")
        said = airflow("dags", "test", "orchard_features")
    assert str(ROOT) not in said.replace(str(ROOT / ".venv"), "")
    latest = json.loads((tmp_path / "lake" / "latest.json").read_text())
    run = json.loads(Path(latest["run_json"].removeprefix("file://")).read_text())
    revision = repository.git("rev-parse", "HEAD")
    assert run["code"] == f"s3://{BUCKET}/code/{revision[:12]}"
    assert run["counts"]["featurized"] == 1
    assert list((tmp_path / "venv").glob("lib/*/site-packages/tiny.py"))


def test_no_file_of_the_deployed_dags_fails_to_be_imported(
    deploy: Callable[..., int], airflow: Callable[..., str], model: Path
) -> None:
    deploy(MODEL=str(model))
    airflow("db", "migrate")
    airflow("dags", "reserialize")
    assert "No data found" in airflow("dags", "list-import-errors")
    assert all(dag in airflow("dags", "list") for dag in ("orchard_features", "orchard_sweeper"))


def test_a_run_that_has_begun_keeps_its_code(settings: Settings) -> None:
    """A deployment between two tasks changes neither the cluster nor the steps of the run."""
    places = replace(settings.places, code="s3://b/code/111111111111")
    settings, old = replace(settings, places=places), "s3://b/code/000000000000"
    counts = dict.fromkeys(("listed", "known", "new", "retried", "deleted", "kept"), 1)
    sensed = {
        **counts,
        "code": old,
        "images": places.images,
        "model": places.model,
        "feature_spec": FeatureSpec("m").to_json(),
        "listing": "l",
        "digest": "d",
        "builds_on": None,
        "predecessor": None,
    }
    chosen = {name: param.value for name, param in params(settings).items()}
    ti = SimpleNamespace(xcom_pull=lambda **_: sensed)
    run = RunTasks("orchard_features", "r", chosen, ti, settings)
    action = run.cluster_request()["BootstrapActions"][0]["ScriptBootstrapAction"]
    assert action["Path"] == f"{old}/install_node.sh"
    assert action["Args"][2:4] == ["--source", old]
    for job in ("featurize", "reduce", "export"):
        assert f"{old}/run.py" in run.step(job)["HadoopJarStep"]["Args"]
