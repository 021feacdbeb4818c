"""An Airflow of its own for the tests, and a local EMR whose Spark is ``fake_spark_submit.py``."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = tempfile.mkdtemp(prefix="orchard-airflow-")

# Airflow reads these when it is first imported.
os.environ.update(
    AIRFLOW_HOME=HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    # What the DAG file needs to be imported; each test builds the DAG from settings of its own.
    ORCHARD_LAKE="file:///nowhere/lake",
    ORCHARD_MODEL="file:///nowhere/lake/models/m",
)

import pytest  # noqa: E402
from deployments import deploy, index, model, repository, s3, wheels  # noqa: E402, F401 - fixtures
from emr_operators import (  # noqa: E402, F401 - fixtures
    client,
    cluster_id,
    create,
    faults,
    request_of_cluster,
    step,
    tags,
)

from orchard.settings import Settings  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _remove_home() -> Iterator[None]:
    import shutil

    yield
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_db() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Settings for a lake and images in a folder whose name has a space."""
    base = f"file://{tmp_path}/a lake"
    return {
        "ORCHARD_LAKE": base,
        "ORCHARD_MODEL": f"{base}/models/m",
        "ORCHARD_IMAGES": f"file://{tmp_path}/images",
        "ORCHARD_POLL_INTERVAL": "1",
        "ORCHARD_LOG_TIMEOUT": "5",
        "ORCHARD_RETRIES": "0",
        "ORCHARD_RETRY_DELAY": "0",
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_env(environ)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a node's environment in which spark-submit is the fake one."""
    folder = tmp_path_factory.mktemp("node") / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    script = folder / "spark-submit"
    source = (Path(__file__).with_name("fake_spark_submit.py")).read_text()
    jobs = f"import sys; sys.path.insert(0, {str(ROOT / 'spark_jobs')!r})\n"
    script.write_text(f"#!{sys.executable}\n" + jobs + source)
    script.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def emr(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a local EMR; ``AWS_ENDPOINT_URL_EMR`` points to it."""
    from local.emr.launcher import running_emr

    folder = tmp_path_factory.mktemp("emr")
    pages = ("--page-size", "2")  # so that what is looked for is not always on the first
    with running_emr(node / "python", folder / "work", log_file=folder / "log", options=pages) as url:
        os.environ["AWS_ENDPOINT_URL_EMR"] = url
        yield url
        del os.environ["AWS_ENDPOINT_URL_EMR"]
