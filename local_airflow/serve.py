"""Runs Airflow's processes and the local EMR until told to stop: what ``make up`` leaves in the background.

The processes are those of ``airflow standalone``, started one by one because that command's scheduler and
triggerer serve their logs to the whole network; here nothing listens beyond loopback, and the
API server reads the logs from the disk.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local.airflow_env import AirflowEnv, serving_at
from local.emr.launcher import running_emr
from local.node import NODE_PYTHON
from local.processes import stop_session

COMPONENTS = {
    "dag-processor": ["dag-processor"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "api-server": ["api-server"],
}


def main() -> None:
    """Serve until SIGTERM or SIGINT, or until a component ends by itself."""
    home = Path(os.environ["SERVE_HOME"])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as running:
        emr = running_emr(
            NODE_PYTHON, home / "emr", port=int(os.environ["SERVE_EMR_PORT"]), log_file=home / "emr.log"
        )
        environment = serving_environment(home, running.enter_context(emr))
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True)
        started = [running.enter_context(_component(name, home, environment)) for name in COMPONENTS]
        while not stopping.wait(1.0) and all(process.poll() is None for process in started):
            pass


def serving_environment(home: Path, emr_url: str) -> dict[str, str]:
    """Return the environment of every component."""
    return AirflowEnv(
        home=home,
        lake=Path(os.environ["SERVE_LAKE"]),
        images=Path(os.environ["SERVE_IMAGES"]),
        model=os.environ["SERVE_MODEL"],
        emr_url=emr_url,
        extra={
            **serving_at(int(os.environ["SERVE_PORT"])),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "ORCHARD_RETRY_DELAY": "5",
        },
    ).variables()


@contextmanager
def _component(name: str, home: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (home / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", *COMPONENTS[name]],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            stop_session(process)


if __name__ == "__main__":
    main()
