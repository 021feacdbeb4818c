"""An Airflow of separate processes, as `make up` starts them, with the real DAG. Its Spark is a fake one."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from api_server import free_port

from local.airflow_env import AirflowEnv, serving_at
from local.processes import stop_session
from local.serve import COMPONENTS
from tests.faults.airflow_server import Airflow
from tests.waiting import wait_for

IDLE_BRIEFLY = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2"}


@contextmanager
def running_orchard(
    home: Path, lake: Path, images: Path, emr: str, more: Mapping[str, str]
) -> Iterator[Airflow]:
    """Start it, with the DAG loaded, and end it. ``more`` are variables of every process."""
    port = free_port()
    environ = AirflowEnv(
        home, lake, images, f"file://{lake}/models/m", emr, {**serving_at(port), **IDLE_BRIEFLY}
    )
    # Those of the tests themselves, which this environment lets through, are of no lake.
    orchard = {"ORCHARD_LAKE": f"file://{lake}", "ORCHARD_MODEL": f"file://{lake}/models/m", **more}
    airflow = Airflow(home, port, environ.variables() | orchard)
    home.mkdir()
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=airflow.environment, check=True, capture_output=True)
    try:
        for component in COMPONENTS:
            airflow.start(component)
        wait_for(airflow.is_healthy, "Airflow to be healthy")
        airflow.log_in()
        wait_for(lambda: airflow.has_dag("orchard_features"), "the DAG")
        yield airflow
    finally:
        for process in airflow.processes.values():
            stop_session(process)
