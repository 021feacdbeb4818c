"""``make demo``: the real DAG on a local EMR, from a folder of images to a CSV, with a summary."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.airflow_env import AirflowEnv
from local.emr.launcher import running_emr
from local.last_word import last_word
from local.node import NODE_PYTHON, STATE, Model, NodeError, draw_samples, provide_model
from local.processes import stop_session
from local.summary import ClusterSeen, summarize
from local.watch import Watch, read_json

DAG_ID = "orchard_features"
LOOK_INTERVAL = 0.3  # seconds
DEMO_SETTINGS = {"ORCHARD_RETRIES": "0"}


@dataclass(frozen=True)
class Request:
    """What to run the DAG on."""

    images: Path | None
    weights: Path | None
    lake: Path
    emr_port: int

    @classmethod
    def from_env(cls) -> Self:
        """Read the variables that ``make`` passes on; preflight.py has checked them."""
        given = {name: os.environ.get(name) for name in ("IMAGES", "WEIGHTS", "LAKE", "EMR_PORT")}
        return cls(
            images=_to_path(given["IMAGES"]) if given["IMAGES"] else None,
            weights=_to_path(given["WEIGHTS"]) if given["WEIGHTS"] else None,
            lake=_to_path(given["LAKE"] or "lake"),
            emr_port=int(given["EMR_PORT"] or 0),
        )


def _to_path(given: str) -> Path:
    """No shell expands the ~ in ``make demo IMAGES=~/fruits``."""
    return Path(given).expanduser().absolute()


def main() -> int:
    # So that these unwind the context managers as Ctrl-C does, and no process is left.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return run_demo(Request.from_env())
    except NodeError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "orchard: interrupted; the cluster and its processes are gone, nothing was published",
            file=sys.stderr,
        )
        return 130


def run_demo(request: Request) -> int:
    """Run the DAG once and print the summary; return the exit code."""
    images = request.images or draw_samples()
    model = provide_model(request.weights, request.lake)
    if model.warning:
        print(f"WARNING  {model.warning}")
    home = STATE / "demo"
    home.mkdir(parents=True, exist_ok=True)
    with running_emr(NODE_PYTHON, home / "emr", port=request.emr_port, log_file=home / "emr.log") as emr_url:
        environment = AirflowEnv(home, request.lake, images, model.uri, emr_url, DEMO_SETTINGS).variables()
        watch = Watch(emr_url, home / "emr.log", request.lake / "runs")
        succeeded = run_dag(environment, home / "airflow.log", watch)
        return report_outcome(request.lake, watch, model, succeeded=succeeded, log=home / "airflow.log")


def run_dag(environment: dict[str, str], log: Path, watch: Watch) -> bool:
    """Run the DAG in a process of its own, watching it; say whether it succeeded."""
    airflow = [sys.executable, "-m", "airflow"]
    with log.open("wb") as output:
        io: dict[str, Any] = {
            "env": environment,
            "stdin": subprocess.DEVNULL,
            "stdout": output,
            "stderr": output,
        }
        if subprocess.run([*airflow, "db", "migrate"], check=False, **io).returncode:
            return False
        command = [*airflow, "dags", "test", DAG_ID]
        with subprocess.Popen(command, start_new_session=True, **io) as process:
            try:
                while process.poll() is None:
                    watch.look()
                    _wait(process, LOOK_INTERVAL)
            except BaseException:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not stop the cleaning up
                stop_session(process)
                raise
            watch.look()
            return process.returncode == 0


def report_outcome(lake: Path, watch: Watch, model: Model, *, succeeded: bool, log: Path) -> int:
    """Print what came of it; return the exit code."""
    latest = read_json(lake / "latest.json")
    folder = watch.run_folder
    is_published = folder is not None and latest.get("run") == folder.name
    if succeeded and folder and is_published:
        run = read_json(folder / "run.json")
        cluster = ClusterSeen(watch.cluster_states(), watch.idle_seconds())
        print(f"\n{summarize(run, latest['run_json'], cluster, model.warning)}")
        return 0
    if succeeded and latest and not folder:
        print(f"\nNo new images: no cluster was created. The newest result is {latest['csv']}")
        return 0
    print(
        f"\norchard: the run failed, {'though it is' if is_published else 'nothing was'} published. "
        f"{last_word(log.read_text(errors='replace')) or 'It left no error.'}\nThe whole log: {log}",
        file=sys.stderr,
    )
    return 1


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


if __name__ == "__main__":
    sys.exit(main())
