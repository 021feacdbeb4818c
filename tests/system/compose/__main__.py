"""``make compose-test``: tests docker-compose.yaml end to end, in its own compose project and lake.

[IMAGES=dir] [WEIGHTS=file] use your images and weights; [KEEP=1] keeps everything running at the end.
Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from local_airflow.compose_env import fill, make_folders, read, value_factories, write
from tests.support.ports import free_ports
from tests.system.compose.checks import (
    check_loopback_only,
    check_no_secret_is_told,
    check_privileges,
    check_processes,
)
from tests.system.compose.command import FailedError, check, run, say, wait_for
from tests.system.compose.stack import LONG_RUNNING, ROOT, Stack
from tests.system.compose.standins import choose_bases

DAG = "orchard_features"
RUN_SECONDS = 900.0
PORTS = ("AIRFLOW_PORT", "HISTORY_PORT", "JUPYTER_PORT")


def main() -> int:
    scratch = Path(tempfile.mkdtemp(prefix="orchard-compose-"))
    try:
        stack = prepare(scratch)
    except FailedError as error:
        return _end(error)
    try:
        test(stack, scratch / "lake")
    except (FailedError, OSError) as error:
        say(stack.compose("logs", "--tail", "20")[-6000:])
        return _end(error)
    finally:
        if not os.environ.get("KEEP"):
            stack.compose("down", "--volumes")
            shutil.rmtree(scratch)
    return 0


def prepare(scratch: Path) -> Stack:
    """Choose base images, write a .env, and build the images."""
    example = (ROOT / ".env.example").read_text()
    bases = {name: image for name, image in read(ROOT / ".env.example").items() if name.endswith("_IMAGE")}
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    given = {**choose_bases(bases, scratch), **ports, "ORCHARD_LAKE_DIR": str(scratch / "lake")}
    settings, lines = fill(example, given, value_factories())
    write(scratch / ".env", lines)
    make_folders(scratch / "lake", int(settings["ORCHARD_UID"]))
    scratch.chmod(0o755)  # otherwise the services' user cannot reach the lake below it
    stack = Stack(scratch / ".env", settings)
    stack.compose("build")
    say("built")
    return stack


def test(stack: Stack, lake: Path) -> None:
    drop_images(lake, int(stack.settings["ORCHARD_UID"]))
    stack.up()
    check(stack.healthy() == LONG_RUNNING, f"healthy: {', '.join(sorted(LONG_RUNNING))}")
    check_loopback_only(stack)
    check_processes(stack)
    check_privileges(stack)
    run_id = run_dag(stack)
    csv = check_result(stack, lake)
    check_no_secret_is_told(stack)
    stack.compose("down")
    check(stack.containers() == {}, "down: no container is left")
    stack.up()
    check(state_of(stack, run_id) == "success", "up again: the DAG run is still there")
    check(result_of(lake)[1] == csv, "up again: so is the CSV")
    again = run_dag(stack)
    tasks = stack.airflow(f"dags/{DAG}/dagRuns/{again}/taskInstances")["task_instances"]
    states = {task["task_id"]: task["state"] for task in tasks}
    check(states["sense"] == states["create_cluster"] == "skipped", "with nothing new, no cluster is created")


def drop_images(lake: Path, uid: int) -> None:
    """Copy files to <lake>/images/<label>/, like a user."""
    images = lake / "images"
    if os.environ.get("WEIGHTS"):
        shutil.copy(os.environ["WEIGHTS"], lake / "weights")
    if os.environ.get("IMAGES"):
        shutil.copytree(os.environ["IMAGES"], images, dirs_exist_ok=True)
    else:
        draw = [
            "venv/bin/python",
            "local_airflow/sample_images.py",
            "/images",
            "--classes",
            "3",
            "--per-class",
            "20",
        ]
        mount = ["--rm", "--user", f"{uid}:0", "--volume", f"{images}:/images"]
        run("docker", "run", *mount, "orchard-spark:local", *draw)
    say(f"{len(list_images(lake))} images are in {images}/<label>/")


def list_images(lake: Path) -> list[Path]:
    return [path for path in (lake / "images").rglob("*") if path.is_file()]


def run_dag(stack: Stack) -> str:
    """Trigger the DAG through the API, and wait for the end of the run; return its id."""
    run_id = str(stack.airflow(f"dags/{DAG}/dagRuns", logical_date=None)["dag_run_id"])
    say(f"triggered {run_id}")
    state = wait_for(lambda: state_of(stack, run_id, ended=True), "the end of the DAG run", RUN_SECONDS)
    check(state == "success", f"the DAG run ended: {state}")
    return run_id


def state_of(stack: Stack, run_id: str, *, ended: bool = False) -> str | None:
    state: str = stack.airflow(f"dags/{DAG}/dagRuns/{run_id}")["state"]
    return None if ended and state not in ("success", "failed") else state


def result_of(lake: Path) -> tuple[dict[str, Any], bytes]:
    """Return latest.json and the path of its CSV on this machine."""
    latest: dict[str, Any] = json.loads((lake / "latest.json").read_text())
    return latest, (lake / latest["csv"].removeprefix("file:///lake/")).read_bytes()


def check_result(stack: Stack, lake: Path) -> bytes:
    """Check the CSV's rows, and the run in the pages and the history server; return the CSV."""
    latest, csv = result_of(lake)
    rows = csv.count(b"\n") - 1
    check(rows == len(list_images(lake)), f"the CSV has a row for each of {rows} images")
    check(stack.run_json(latest["run"])["rows"] == rows, "Orchard's pages in Airflow have the run")
    names = {f"orchard {job} {latest['run']}" for job in ("featurize", "reduce", "export")}
    wait_for(
        lambda: names <= {one["name"] for one in stack.applications()},
        "the history server lists the jobs",
        60,
    )
    check(True, f"the history server lists {', '.join(sorted(name.split()[1] for name in names))}")
    stack.compose("exec", "-T", "jupyter", "jupyter", "execute", "explore.ipynb")
    check(True, "the notebook runs in JupyterLab's container")
    owners = {path.stat().st_uid for path in (lake / "runs").rglob("*")}
    check(owners == {int(stack.settings["ORCHARD_UID"])}, "the results belong to the user of .env")
    return csv


def _end(error: Exception) -> int:
    print(f"orchard: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
