"""An Airflow for browser tests, whose DAG has run once on a fake Spark."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.airflow.server import Airflow, ScheduledRun

HOSTILE = "<script>alert(1)"
"""A label of images."""

SECONDS = 60_000
"""Timeout for an element in milliseconds, long enough for a busy machine."""


@dataclass(frozen=True)
class Shown:
    """An Airflow whose DAG has run once, and whose lake also has an older run."""

    airflow: Airflow
    run: ScheduledRun
    lake: Path

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.airflow.port}{path}"

    @property
    def of_run(self) -> str:
        return self.url(f"/dags/orchard_features/runs/{self.run.run_id}")
