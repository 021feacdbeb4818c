"""One scenario's DAG: ``scenario_airflow.py`` copies it as ``<dag id>.py``, beside its settings in JSON."""

import json
from datetime import timedelta
from pathlib import Path

from airflow.sdk.definitions.timetables.simple import NullTimetable

from orchard.settings.settings import Settings
from orchard_features import build_dag
from orchard_sweeper import build_sweeper

_given = json.loads(Path(__file__).with_suffix(".json").read_text())

_settings = Settings.from_env(_given["environ"])

dag = build_dag(_settings, Path(__file__).stem)
# What Orchard's DAG does not have, and a deployment may set for all DAGs.
if "dagrun_timeout" in _given["dag"]:
    sweeper = build_sweeper(_settings, f"{Path(__file__).stem}-sweeper")
    sweeper.timetable = NullTimetable()  # it runs when the test says so
    dag.dagrun_timeout = timedelta(seconds=_given["dag"]["dagrun_timeout"])
dag.max_active_runs = _given["dag"].get("max_active_runs", dag.max_active_runs)
