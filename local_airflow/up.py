"""``make up``: starts Airflow with its UI and a local EMR in the background, and says where they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from local.demo import Request
from local.node import ROOT, STATE, NodeError, draw_samples, provide_model
from local.preflight import DEFAULT_UI_PORT

HOME = STATE / "up"
PID_FILE = HOME / "serve.pid"
START_SECONDS = 180.0


def main() -> int:
    if find_running() is not None:
        print("orchard: it is up already. Stop it with `make down`.", file=sys.stderr)
        return 2
    request = Request.from_env()
    port = os.environ.get("PORT") or DEFAULT_UI_PORT
    try:
        images = request.images or draw_samples()
        model = provide_model(request.weights, request.lake)
    except NodeError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    print("Starting Airflow and a local EMR …", flush=True)
    process = start(request, images, model.uri, port)
    if not wait_until_ready(process, port):
        process.terminate()
        print(f"orchard: Airflow did not start. What its processes said is in {HOME}/*.log", file=sys.stderr)
        return 1
    print(describe(port, request.lake, images, model.warning))
    return 0


def start(request: Request, images: Path, model: str, port: str) -> subprocess.Popen[bytes]:
    """Start local/serve.py in a session of its own and note its process id."""
    HOME.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "SERVE_HOME": str(HOME),
        "SERVE_PORT": port,
        "SERVE_EMR_PORT": str(request.emr_port),
        "SERVE_LAKE": str(request.lake),
        "SERVE_IMAGES": str(images),
        "SERVE_MODEL": model,
    }
    with (HOME / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.serve"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    PID_FILE.write_text(str(process.pid))
    return process


def wait_until_ready(process: subprocess.Popen[bytes], port: str) -> bool:
    """Wait until every component is healthy and the DAG is there; False where that does not come."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_healthy(port):
            return True
        time.sleep(1.0)
    return False


def describe(port: str, lake: Path, images: Path, warning: str | None) -> str:
    password_file = HOME / "simple_auth_manager_passwords.json.generated"
    lines = [
        f"Airflow    http://127.0.0.1:{port}/dags/orchard_features",
        f"user       admin, whose password is in {password_file}",
        f"images     {images}",
        f"lake       {lake}",
        "stop       make down",
    ]
    return "\n".join([*lines, *([f"WARNING    {warning}"] if warning else [])])


def find_running() -> psutil.Process | None:
    """Return the process that an earlier `make up` left, if it still is that process."""
    try:
        process = psutil.Process(int(PID_FILE.read_text()))
        return process if "local.serve" in process.cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


def _is_healthy(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (OSError, ValueError):
        return False
    return all(
        (health.get(part) or {}).get("status") == "healthy"
        for part in ("scheduler", "triggerer", "dag_processor")
    )


if __name__ == "__main__":
    sys.exit(main())
