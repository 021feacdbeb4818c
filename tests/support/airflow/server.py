"""An Airflow with separate processes: its components, its API, the runs of its DAGs."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import requests

from local_airflow.serve import COMPONENTS
from local_spark.processes import stop_session
from tests.support.polling import wait_for

PRELOADING = Path(__file__).parent / "preloading"
TOLD = 4000
"""Number of characters of a failed task's log that a test shows."""


@dataclass
class Airflow:
    """The Airflow server that scenarios share.

    Args:
        home: AIRFLOW_HOME.
        port: Port of the API server, on loopback.
        environment: Environment variables of every component.
    """

    home: Path
    port: int
    environment: dict[str, str]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)

    # Its processes

    def start(self, component: str) -> None:
        with (self.home / f"{component}.log").open("ab") as log:
            self.processes[component] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *COMPONENTS[component]],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, component: str) -> None:
        """Send SIGKILL to a component and its children, as if its machine had failed."""
        process = self.processes.pop(component)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_task(self, task: Mapping[str, Any], *, with_supervisor: bool = False) -> None:
        """Send SIGKILL to the process of a task instance, and optionally to its supervisor."""
        process = self.find_task(task)
        supervisor = process.parent()
        if with_supervisor and supervisor:
            supervisor.kill()
        process.kill()

    def find_task(self, task: Mapping[str, Any]) -> psutil.Process:
        """Wait for the process of a task instance, and return it."""
        return wait_for(lambda: find_worker(task["id"]), f"the process of {task['dag_id']}.{task['task_id']}")

    def wait_until_left(self, task: Mapping[str, Any]) -> None:
        """Wait until a task instance has no process: a deferred task keeps its process for a moment."""
        wait_for(lambda: find_worker(task["id"]) is None, f"no process of {task['dag_id']}.{task['task_id']}")

    # Its API

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.session.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, timeout=60)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def log_in(self) -> None:
        passwords = self.home / "simple_auth_manager_passwords.json.generated"
        user = {"username": "admin", "password": json.loads(passwords.read_text())["admin"]}
        token = self.call("POST", "/auth/token", user)["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def is_healthy(self) -> bool:
        try:
            health = requests.get(f"http://127.0.0.1:{self.port}/api/v2/monitor/health", timeout=5).json()
        except (OSError, ValueError):
            return False
        parts = ("scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def has_dag(self, dag_id: str) -> bool:
        answer = self.session.get(f"http://127.0.0.1:{self.port}/api/v2/dags/{dag_id}", timeout=60)
        return answer.ok


@dataclass(frozen=True)
class ScheduledRun:
    """A DAG run on that Airflow."""

    airflow: Airflow
    dag_id: str
    run_id: str

    @classmethod
    def trigger(cls, airflow: Airflow, dag_id: str) -> "ScheduledRun":
        body = {"logical_date": None, "conf": {}}
        return cls(
            airflow, dag_id, airflow.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        )

    def state(self) -> str:
        return str(self._call("GET")["state"])

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", f"/taskInstances/{task_id}")
        return found

    def task_states(self) -> dict[str, str]:
        found = self._call("GET", "/taskInstances")["task_instances"]
        return {task["task_id"]: str(task["state"]) for task in found}

    def log(self, task_id: str) -> str:
        """Return the log of a task's latest try."""
        number = self.task(task_id)["try_number"]
        lines = self._call("GET", f"/taskInstances/{task_id}/logs/{number}")["content"]
        return "\n".join(str(line) for line in lines)

    def set_back(self, hours: float) -> None:
        """Move the run's start date back, for the scheduler."""
        with closing(sqlite3.connect(self.airflow.home / "airflow.db", timeout=60)) as database, database:
            this = (self.dag_id, self.run_id)
            where = "WHERE dag_id = ? AND run_id = ?"
            (start,) = database.execute(f"SELECT start_date FROM dag_run {where}", this).fetchone()
            earlier = datetime.fromisoformat(start) - timedelta(hours=hours)
            database.execute(f"UPDATE dag_run SET start_date = ? {where}", (str(earlier), *this))

    def fail(self) -> None:
        """Mark the run as failed, like the UI."""
        self._call("PATCH", body={"state": "failed"})

    def fail_task(self, task_id: str) -> None:
        """Mark a task as failed, like the UI."""
        self._call("PATCH", f"/taskInstances/{task_id}", {"new_state": "failed"})

    def clear_task(self, task_id: str) -> None:
        """Clear a task and all downstream tasks, like the UI."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": [task_id],
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.airflow.call("POST", f"/api/v2/dags/{self.dag_id}/clearTaskInstances", body)

    def wait_for_task(self, task_id: str, *states: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["state"] in states else None

        return wait_for(look, f"{self.dag_id}.{task_id} to be {' or '.join(states)}")

    def wait(self) -> str:
        """Wait for the end of the run; return its state."""

        def look() -> str | None:
            state = self.state()
            return state if state in ("success", "failed") else None

        return wait_for(look, f"the end of {self.dag_id}")

    def must_end(self, state: str) -> None:
        """Wait for the end of the run; if its state differs, fail with the logs of its failed tasks."""
        ended = self.wait()
        assert ended == state, f"{self.dag_id} is {ended}, not {state}\n{self.tell()}"

    def tell(self) -> str:
        """Return the states of its tasks, and the end of each failed task's log."""
        states = self.task_states()
        failed = [task_id for task_id, state in states.items() if state == "failed"]
        said = (f"--- {task_id}\n{self.log(task_id)[-TOLD:]}" for task_id in failed)
        return "\n".join([str(states), *said])

    def _call(self, method: str, more: str = "", body: dict[str, Any] | None = None) -> Any:
        return self.airflow.call(method, f"/api/v2/dags/{self.dag_id}/dagRuns/{self.run_id}{more}", body)


Trigger = Callable[[], ScheduledRun]
"""Triggers the DAG of a scenario."""


def find_worker(task_instance: str) -> psutil.Process | None:
    """Find the process of a task instance by the process title that Airflow sets."""
    for process in psutil.process_iter(["cmdline"]):
        if f"airflow worker -- {task_instance}" in " ".join(process.info["cmdline"] or []):
            return process
    return None


@contextmanager
def serving(airflow: Airflow, dag_ids: Collection[str]) -> Iterator[Airflow]:
    """Start all components with a new database and these DAGs; stop them after the block."""
    shutil.copytree(PRELOADING, airflow.home / "config", ignore=shutil.ignore_patterns("__pycache__"))
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=airflow.environment, check=True, capture_output=True)
    try:
        for component in COMPONENTS:
            airflow.start(component)
        wait_for(airflow.is_healthy, "Airflow to be healthy")
        airflow.log_in()
        wait_for(lambda: all(map(airflow.has_dag, dag_ids)), f"the DAGs {', '.join(dag_ids)}")
        yield airflow
    finally:
        for process in airflow.processes.values():
            stop_session(process)
