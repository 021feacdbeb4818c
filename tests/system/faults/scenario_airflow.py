"""One Airflow for all scenarios that need its processes, with a DAG for each."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_airflow.airflow_env import AirflowEnv, serving_at
from local_emr.authentication import Endpoint
from local_spark.node import ROOT
from tests.support.airflow.server import Airflow, serving

DAG_FILE = Path(__file__).parent / "dags" / "scenario.py"

# What dies is noticed within seconds, and nobody waits for the next look.
QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    # A file that took too long would not be looked at again.
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "600",
}


@contextmanager
def running_airflow(
    home: Path, emr: Endpoint, dags: Mapping[str, dict[str, Any]], port: int
) -> Iterator[Airflow]:
    """Start Airflow with one DAG for each of ``dags``: its id, and what ``dags/scenario.py`` reads."""
    folder = home / "dags"
    folder.mkdir(parents=True)
    for dag_id, given in dags.items():
        (folder / f"{dag_id}.json").write_text(json.dumps(given))
        shutil.copy(DAG_FILE, folder / f"{dag_id}.py")
    with serving(Airflow(home, port, _environment(home, emr, port)), dags) as airflow:
        yield airflow


def _environment(home: Path, emr: Endpoint, port: int) -> dict[str, str]:
    nowhere = Path("/nowhere")
    extra = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        **serving_at(port),
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("spark_jobs", "dags", "")),
        **QUICK,
    }
    return AirflowEnv(
        home, nowhere / "lake", nowhere / "images", "file:///nowhere/model", emr, extra
    ).variables()
