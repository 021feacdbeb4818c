"""The environment of a local Airflow: as in production, except for paths and endpoints."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from local_emr.authentication import Endpoint
from local_spark.class_archive import driver_options
from local_spark.node import CODE, NODE_ENV, ROOT

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME", "SSL_CERT_FILE")


QUIET = "airflow.providers.amazon.aws.hooks.base_aws=WARNING botocore=WARNING"
"""For every client these loggers report that no connection is set, and where credentials were found."""


@dataclass(frozen=True)
class AirflowEnv:
    """A local Airflow: its home, and the lake, images and model that the DAG uses.

    Args:
        home: AIRFLOW_HOME, with the metadata database and the logs.
        lake: The folder of the lake.
        images: The folder of ``<label>/<image>``.
        model: URI of the model artefact.
        emr: The local EMR.
        extra: Additional variables. The caller's ORCHARD_* variables override all others.
    """

    home: Path
    lake: Path
    images: Path
    model: str
    emr: Endpoint
    extra: dict[str, str]

    def variables(self) -> dict[str, str]:
        """Return the complete environment. Nothing else is inherited, above all no AWS credentials."""
        return {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "spark_jobs"), str(ROOT)]),
            **self._airflow(),
            **self._aws(),
            **self._orchard(),
            **self.extra,
            **{name: value for name, value in os.environ.items() if name.startswith("ORCHARD_")},
        }

    def _airflow(self) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": QUIET,
        }

    def _aws(self) -> dict[str, str]:
        return {
            **self.emr.variables(),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _orchard(self) -> dict[str, str]:
        return {
            "ORCHARD_LAKE": f"file://{self.lake}",
            "ORCHARD_IMAGES": f"file://{self.images}",
            "ORCHARD_MODEL": self.model,
            "ORCHARD_CODE": f"file://{CODE}",
            "ORCHARD_NODE_ENV": str(NODE_ENV),
            # The local node environment has TensorFlow, to export the model.
            "ORCHARD_BOOTSTRAP_ARGS": "--with-tensorflow",
            "ORCHARD_POLL_INTERVAL": "1",
            "ORCHARD_LOG_TIMEOUT": "10",
            "ORCHARD_DRIVER_MEMORY": "2g",
        }


def emr_options() -> list[str]:
    """Return the options of the local EMR that runs Airflow's steps."""
    return [f"--driver-java-options={driver_options(os.environ)}"]


def serving_at(port: int) -> dict[str, str]:
    """Return the variables that connect separately started Airflow processes on loopback."""
    url = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        # On a busy machine, a trigger must not fire before the scheduler has seen its task's process exit.
        "ORCHARD_POLL_INTERVAL": "3",
    }
