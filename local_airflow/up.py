"""``orchard up`` and ``orchard down``: Airflow with its UI and a local EMR, in the background."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil

from bootstrap import package
from local_airflow.demo import DAG_ID, Request
from local_airflow.serve import Serving
from local_spark.node import CODE, ROOT, STATE
from orchard_jobs.errors import OrchardError

HOME = STATE / "up"
PID_FILE = HOME / "serve.pid"
SERVER = "local_airflow.serve"
START_SECONDS = 180.0
STOP_SECONDS = 120.0


@dataclass(frozen=True)
class Address:
    """Where Airflow listens, and the folders that it works on."""

    port: int
    lake: Path
    images: Path
    warning: str | None

    def describe(self) -> str:
        lines = [
            f"Airflow    http://127.0.0.1:{self.port}/dags/{DAG_ID}",
            f"sign in    user admin, password {read_password()}",
            f"images     {self.images}",
            f"lake       {self.lake}",
            "stop       orchard down, or make down",
        ]
        return "\n".join([*lines, *([f"WARNING    {self.warning}"] if self.warning else [])])


def read_password() -> str:
    """Return the admin password, which Airflow generates when it first starts."""
    file = HOME / "simple_auth_manager_passwords.json.generated"
    try:
        return str(json.loads(file.read_text())["admin"])
    except (OSError, ValueError, KeyError):
        return f"in {file}"


def start_airflow(request: Request, port: int) -> Address | None:
    """Start Airflow and the local EMR; return their address once they are healthy, None if that fails.

    Raises:
        OrchardError: if they are already running, or the weights are invalid.
    """
    require_stopped()
    package.main(CODE)
    images, model = request.provide_images(), request.provide_model()
    process = start_server(request, images, model.uri, port)
    if not _wait_until_ready(process, port):
        process.terminate()
        return None
    return Address(port, request.lake, images, model.advice)


def require_stopped() -> None:
    """Raise OrchardError if an earlier `orchard up` is still running."""
    if _find_running() is not None:
        raise OrchardError(
            "Airflow is already running", rule="only one can run", remedy="stop it with `orchard down`"
        )


def stop_airflow() -> bool:
    """Stop the processes that `orchard up` started; return whether there were any."""
    process = _find_running()
    if process is None:
        return False
    tree = [process, *process.children(recursive=True)]
    process.terminate()  # the server stops its clusters and Airflow's processes in order
    _, alive = psutil.wait_procs(tree, STOP_SECONDS)
    for one in alive:
        one.kill()
    PID_FILE.unlink(missing_ok=True)
    return True


def start_server(request: Request, images: Path, model: str, port: int) -> subprocess.Popen[bytes]:
    """Start serve.py in its own session and record its process id.

    Only the user can read what it, Airflow and the local EMR write: logs, settings, keys, a database.
    """
    os.umask(0o077)
    HOME.mkdir(parents=True, exist_ok=True)
    HOME.chmod(0o700)  # Airflow sets the modes of its logs itself, whatever the umask
    serving = Serving(str(HOME), port, request.emr_port, str(request.lake), str(images), model)
    with (HOME / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", SERVER, serving.to_argument()],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "spark_jobs")])},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    PID_FILE.write_text(str(process.pid))
    return process


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until every component is healthy; return False on exit or timeout."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_healthy(port):
            return True
        time.sleep(1.0)
    return False


def _find_running() -> psutil.Process | None:
    """Return the server process of an earlier `orchard up`, if it is still running."""
    try:
        process = psutil.Process(int(PID_FILE.read_text()))
        return process if SERVER in process.cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (OSError, ValueError):
        return False
    return all(
        (health.get(part) or {}).get("status") == "healthy"
        for part in ("scheduler", "triggerer", "dag_processor")
    )
