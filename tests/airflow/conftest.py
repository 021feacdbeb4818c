"""An Airflow of its own for the tests, and a local EMR whose Spark is ``fake_spark_submit.py``."""

from tests.airflow_in_process import ROOT, airflow_db, airflow_home  # noqa: F401 - fixtures

# isort: split

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import browser  # noqa: F401 - a fixture
from dag_runs import run  # noqa: F401 - a fixture
from deployments import deploy, index, model, repository, s3, wheels  # noqa: F401 - fixtures
from emr_operators import (  # noqa: F401 - fixtures
    client,
    cluster_id,
    create,
    faults,
    request_of_cluster,
    step,
    tags,
)
from signed_in import visit  # noqa: F401 - a fixture

from orchard.settings.settings import Settings


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
    from local_emr.launcher import running_emr

    folder = tmp_path_factory.mktemp("emr")
    pages = ("--page-size", "2")  # so that what is looked for is not always on the first
    with running_emr(node / "python", folder / "work", log_file=folder / "log", options=pages) as url:
        os.environ["AWS_ENDPOINT_URL_EMR"] = url
        yield url
        del os.environ["AWS_ENDPOINT_URL_EMR"]
