"""An Airflow in the process of the tests. Import it first: Airflow reads its variables on import."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

OUTSIDE = dict(os.environ)
"""The original environment of the tests, for programs that a user starts."""

HOME = tempfile.mkdtemp(prefix="orchard-airflow-")

# No credentials from this machine.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(
    AIRFLOW_HOME=HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    # Required to import the DAG file; each test builds the DAG with its own settings.
    ORCHARD_LAKE="file:///nowhere/lake",
    ORCHARD_MODEL="file:///nowhere/lake/models/m",
    ORCHARD_CRON="0 0 29 2 *",  # never: tests start runs
)


@pytest.fixture(scope="session", autouse=True)
def airflow_home() -> Iterator[Path]:
    """AIRFLOW_HOME, removed after the last test."""
    yield Path(HOME)
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> None:
    """Airflow's database."""
    from airflow.utils.db import initdb

    initdb()
