"""``orchard demo``: the real DAG on a local EMR, from a folder of images to a CSV, with a summary."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bootstrap import package
from local_airflow.airflow_env import AirflowEnv, emr_options
from local_airflow.summary import ClusterSeen, summarize
from local_airflow.watch import Watch, read_json
from local_emr.authentication import Endpoint
from local_emr.launcher import EmrDidNotStartError, running_emr
from local_spark.model import Model, provide_model
from local_spark.node import CODE, NODE_PYTHON, ROOT, STATE, run_node_python
from local_spark.processes import find_error, stop_session
from orchard_jobs.errors import OrchardError

DAG_ID = "orchard_features"
LOOK_INTERVAL = 0.3  # seconds
DEMO_SETTINGS = {"ORCHARD_RETRIES": "0"}


@dataclass(frozen=True)
class Request:
    """The inputs of the DAG run, checked by preflight.py.

    Args:
        images: Folder of images; None to draw samples.
        weights: File of weights; None for the default of ``local_spark.model.provide_model``.
        lake: Folder of the lake.
        emr_port: Port of the local EMR; 0 for any.
    """

    images: Path | None
    weights: Path | None
    lake: Path
    emr_port: int

    def provide_images(self) -> Path:
        """Return the folder of images; draw samples if none is given."""
        return self.images or draw_samples()

    def provide_model(self) -> Model:
        """Put the model artefact into the lake. Raises OrchardError for the weights of another network."""
        return provide_model(self.weights, self.lake)


def draw_samples() -> Path:
    """Draw sample images, always the same; return their folder."""
    folder = STATE / "samples"
    run_node_python([str(ROOT / "local_airflow" / "sample_images.py"), str(folder)])
    return folder


def unwind_on_signals() -> None:
    """Let SIGTERM and SIGHUP unwind the context managers as Ctrl-C does, so that no process is left."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def run_demo(request: Request) -> bool:
    """Run the DAG once and print the summary; return whether it succeeded.

    Raises:
        OrchardError: if the weights are invalid, or the local EMR does not start.
    """
    package.main(CODE)
    images, model = request.provide_images(), request.provide_model()
    if model.advice:
        print(f"WARNING  {model.advice}", flush=True)
    home = STATE / "demo"
    home.mkdir(parents=True, exist_ok=True)
    with _running_emr(home, request.emr_port) as emr:
        environment = AirflowEnv(home, request.lake, images, model.uri, emr, DEMO_SETTINGS).variables()
        watch = Watch(emr, home / "emr.log", request.lake / "runs")
        succeeded = run_dag(environment, home / "airflow.log", watch)
        return print_outcome(request.lake, watch, model, succeeded=succeeded, log=home / "airflow.log")


@contextlib.contextmanager
def _running_emr(home: Path, port: int) -> Iterator[Endpoint]:
    log = home / "emr.log"
    try:
        with running_emr(NODE_PYTHON, home / "emr", port, log, emr_options()) as emr:
            yield emr
    except EmrDidNotStartError as error:
        raise OrchardError(
            str(error), rule="the DAG's steps run on the local EMR", remedy=f"see its log: {log}"
        ) from error


def run_dag(environment: dict[str, str], log: Path, watch: Watch) -> bool:
    """Run the DAG in a separate process and watch it; return whether it succeeded."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "local_airflow.dag_run", DAG_ID],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            while process.poll() is None:
                watch.update()
                _wait(process, LOOK_INTERVAL)
        except BaseException:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the cleanup
            stop_session(process)
            raise
        watch.update()
        return process.returncode == 0


def print_outcome(lake: Path, watch: Watch, model: Model, *, succeeded: bool, log: Path) -> bool:
    """Print the outcome; return whether the run succeeded."""
    latest = read_json(lake / "latest.json")
    folder = watch.run_folder
    is_published = folder is not None and latest.get("run") == folder.name
    if succeeded and folder and is_published:
        run = read_json(folder / "run.json")
        cluster = ClusterSeen(watch.cluster_states(), watch.idle_seconds())
        print(f"\n{summarize(run, latest['run_json'], cluster, model.advice)}")
        return True
    if succeeded and latest and not folder:
        print(f"\nNo new images: no cluster was created. The newest result is {latest['csv']}")
        return True
    outcome = "after it was published" if is_published else "and nothing was published"
    print(
        f"\norchard: the run failed {outcome}. "
        f"{find_error(log.read_text(errors='replace')) or 'It printed no error.'}\nFull log: {log}",
        file=sys.stderr,
    )
    return False


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
