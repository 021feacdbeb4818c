"""Lists the shared fixtures, and selects the folders that an environment can run.

The jobs' tests run in the node's environment (`.venv-node`), all others in Airflow's (`.venv`). Neither has
the packages that the other's tests import.
"""

from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
IS_NODE = find_spec("pyspark") is not None
OF_THE_NODE = [HERE / "unit" / "jobs", HERE / "unit" / "benchmarks", HERE / "integration" / "jobs"]

OF_AIRFLOW = [
    "tests.support.airflow.in_process",  # must come first: Airflow reads its variables on import
    "tests.support.airflow.aws_clients",
    "tests.support.airflow.orchard_settings",
    "tests.support.airflow.fake_node",
    "tests.support.airflow.browser",
    "tests.support.airflow.dag_runs",
    "tests.support.airflow.deployments",
    "tests.support.airflow.managed_airflow",
    "tests.support.airflow.emr_operators",
    "tests.support.airflow.page_client",
    "local_emr.pytest_plugin",
    "tests.support.untrained_model",
    "tests.support.s3a.fixtures",
    "tests.system.faults.reliability",
]

pytest_plugins = ["tests.support.jobs.spark_session"] if IS_NODE else OF_AIRFLOW


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Skip the folders of the other environment."""
    if len(collection_path.relative_to(HERE).parts) < 2:
        return None
    is_of_node = any(collection_path.is_relative_to(folder) for folder in OF_THE_NODE)
    return True if is_of_node != IS_NODE else None
