"""An Airflow with separate processes, as with `make up`, with the real DAG and a fake Spark."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_airflow.airflow_env import AirflowEnv, serving_at
from local_emr.authentication import Endpoint
from tests.support.airflow.server import Airflow, serving
from tests.support.ports import free_port

IDLE_BRIEFLY = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2"}


@contextmanager
def running_orchard(
    home: Path, lake: Path, images: Path, emr: Endpoint, more: Mapping[str, str]
) -> Iterator[Airflow]:
    """Start it with the DAG loaded, and stop it. ``more`` are variables of every process."""
    port = free_port()
    environ = AirflowEnv(
        home, lake, images, f"file://{lake}/models/m", emr, {**serving_at(port), **IDLE_BRIEFLY}
    )
    # The tests' own variables, which this environment inherits, do not belong to a lake.
    orchard = {"ORCHARD_LAKE": f"file://{lake}", "ORCHARD_MODEL": f"file://{lake}/models/m", **more}
    airflow = Airflow(home, port, environ.variables() | orchard)
    home.mkdir()
    with serving(airflow, ["orchard_features"]):
        yield airflow
