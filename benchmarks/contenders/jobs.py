"""Runs Orchard's jobs, ``make demo`` and the other contenders, each in its own processes."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import Cost, run_watched
from local_spark.class_archive import driver_options
from orchard_jobs.contract import JAVA_OPTIONS, ExportJob, FeaturizeJob, Job, Precision, ReduceJob

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"  # the files from `make package`, as on a cluster
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SPARK_SUBMIT = Path(sys.executable).with_name("spark-submit")
LEFT_OUT = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")  # without bytecode, imports take seconds per worker
COMPONENTS = 15


@dataclass(frozen=True)
class Place:
    """A folder for results and logs, and the number of cores to use."""

    folder: Path
    cores: int

    @property
    def uri(self) -> str:
        return f"file://{self.folder}"


@dataclass(frozen=True)
class JobRun:
    """The resources that a job's process used, and the job's own metrics."""

    cost: Cost
    report: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """Seconds without the start of the session."""
        return float(self.report["seconds"])

    @property
    def images(self) -> int:
        """Number of images: the rows of featurize's manifest."""
        return sum(self.report["counts"].values())

    def phase(self, name: str) -> float:
        return float(self.report["phases"][name])


def run_job(place: Place, job: Job, **environment: str) -> JobRun:
    """Run one job in the same way as a step of the local EMR, with the class data archive.

    Raises:
        CommandError: if it fails.
    """
    return JobRun(_submit_jobs(place, job.NAME, [job], environment), _read_report(place, job))


def run_three_jobs(place: Place, images: Path, model: Path, precision: Precision) -> dict[str, JobRun]:
    """Run images to CSV in three steps, like the DAG; return each step's run by name."""
    return {job.NAME: run_job(place, job) for job in _three_jobs(place, images, model, precision)}


def run_application(place: Place, images: Path, model: Path, precision: Precision) -> dict[str, JobRun]:
    """Run images to CSV with the three jobs in one application, like ``orchard run``."""
    jobs = _three_jobs(place, images, model, precision)
    cost = _submit_jobs(place, "application", jobs, {})
    reports = [_read_report(place, job) for job in jobs]
    phases = {name: seconds for report in reports for name, seconds in report["phases"].items()}
    return {"application": JobRun(cost, {"seconds": sum(r["seconds"] for r in reports), "phases": phases})}


def _three_jobs(place: Place, images: Path, model: Path, precision: Precision) -> tuple[Job, ...]:
    features, components = f"{place.uri}/features", f"{place.uri}/components"
    return (
        FeaturizeJob(f"file://{images}", f"file://{model}", place.uri, precision=precision),
        ReduceJob((features,), place.uri, components=COMPONENTS),
        ExportJob((components,), (features,), place.uri),
    )


def _submit_jobs(place: Place, name: str, jobs: Sequence[Job], environment: Mapping[str, str]) -> Cost:
    options = f"--conf=spark.driver.extraJavaOptions={JAVA_OPTIONS} {driver_options(os.environ)}"
    tokens = (token for job in jobs for token in job.command)
    program = [options, f"--py-files={BUILD}/orchard_jobs.zip", f"{BUILD}/run.py", *tokens]
    return _submit(place, name, program, environment)


def _read_report(place: Place, job: Job) -> Mapping[str, Any]:
    report: Mapping[str, Any] = json.loads((place.folder / "reports" / f"{job.NAME}.json").read_bytes())
    return report


def run_notebook(place: Place, **arguments: object) -> tuple[Cost, Mapping[str, float]]:
    """Run the notebook pipeline; return its cost and the seconds of its parts.

    Args:
        place: Where to write, and the cores to use.
        arguments: Arguments of ``notebook_pipeline.py``.

    Raises:
        CommandError: if it fails.
    """
    script = str(ROOT / "benchmarks" / "contenders" / "notebook_pipeline.py")
    given = [f"--{name}={value}" for name, value in arguments.items()]
    cost = _submit(place, "notebook", [script, *given, f"--output={place.folder}"], {})
    return cost, json.loads((place.folder / "timings.json").read_bytes())


def run_demo(place: Place, images: Path, weights: Path | None) -> tuple[Cost, float]:
    """Run ``make demo`` with an empty lake; return its cost, and the seconds of its three jobs.

    Raises:
        CommandError: if it fails.
    """
    lake = place.folder / "lake"
    environment = {name: value for name, value in _inherited().items() if not name.startswith("MAKE")}
    # PYTHONPATH makes `orchard` run this checkout's code, even if checkouts share the environment.
    environment |= {"IMAGES": str(images), "WEIGHTS": str(weights or ""), "LAKE": str(lake)}
    environment |= {"PYTHONPATH": str(ROOT)}
    cost = run_watched(
        ["make", f"--directory={ROOT}", "demo"], environment, place.folder / "logs" / "demo.log"
    )
    reports = list(lake.glob("runs/*/reports/*.json"))
    return cost, sum(float(json.loads(report.read_bytes())["seconds"]) for report in reports)


def run_peer(place: Place, peer: str, images: Path, model: Path) -> float:
    """Run one of the peers in their environment; return its seconds from images to Parquet.

    Raises:
        CommandError: if it fails.
    """
    command = [
        str(PEERS_PYTHON),
        "-m",
        "benchmarks.contenders.peers",
        peer,
        f"--images={images}",
        f"--model={model}",
    ]
    environment = _inherited() | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'spark_jobs'}"}
    log = place.folder / "logs" / f"{peer}.log"
    run_watched([*command, f"--output={place.folder}", f"--cores={place.cores}"], environment, log)
    return float(json.loads((place.folder / "timings.json").read_bytes())["features"])


def _submit(place: Place, name: str, program: Sequence[str], environment: Mapping[str, str]) -> Cost:
    log = place.folder / "logs" / f"{name}.log"
    return run_watched(_command(place, program), {**_environment(), **environment}, log)


def _command(place: Place, program: Sequence[str]) -> list[str]:
    settings = {
        "spark.master": f"local[{place.cores}]",
        "spark.driver.memory": "4g",
        "spark.ui.enabled": "false",
    }
    return [str(SPARK_SUBMIT), *(f"--conf={name}={value}" for name, value in settings.items()), *program]


def _environment() -> dict[str, str]:
    local = {
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",  # nothing listens beyond loopback
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    return {**_inherited(), **local}


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
