"""Runs Airflow's processes and the local EMR in the background for ``orchard up``, until a signal stops them.

The processes are those of ``airflow standalone``, started one by one because that command's scheduler and
triggerer serve their logs to the whole network. Here nothing listens beyond loopback, and the API server
reads the logs from disk.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from local_airflow.airflow_env import AirflowEnv, emr_options, serving_at
from local_emr.authentication import Endpoint
from local_emr.launcher import running_emr
from local_spark.node import NODE_PYTHON
from local_spark.processes import stop_session

COMPONENTS = {
    "dag-processor": ["dag-processor"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "api-server": ["api-server"],
}


@dataclass(frozen=True)
class Serving:
    """The arguments of the server process.

    Args:
        home: AIRFLOW_HOME; the local EMR's folder and all logs are below it.
        port: Port of the API server.
        emr_port: Port of the local EMR; 0 for any.
        lake: The folder of the lake.
        images: The folder of ``<label>/<image>``.
        model: URI of the model artefact.
    """

    home: str
    port: int
    emr_port: int
    lake: str
    images: str
    model: str

    def to_argument(self) -> str:
        """Return the arguments as JSON, the only argument of this module's process."""
        return json.dumps(asdict(self))

    def environment(self, emr: Endpoint) -> dict[str, str]:
        """Return the environment of every component."""
        return AirflowEnv(
            home=Path(self.home),
            lake=Path(self.lake),
            images=Path(self.images),
            model=self.model,
            emr=emr,
            extra={
                **serving_at(self.port),
                "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
                "ORCHARD_RETRY_DELAY": "5",
            },
        ).variables()


def main(argument: str) -> None:
    """Serve until SIGTERM or SIGINT, or until a component exits."""
    serving = Serving(**json.loads(argument))
    home = Path(serving.home)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as running:
        log = home / "emr.log"
        emr = running_emr(NODE_PYTHON, home / "emr", serving.emr_port, log, emr_options())
        environment = serving.environment(running.enter_context(emr))
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True)
        started = [running.enter_context(_component(name, home, environment)) for name in COMPONENTS]
        while not stopping.wait(1.0) and all(process.poll() is None for process in started):
            pass


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
    main(sys.argv[1])
