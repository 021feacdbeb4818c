"""Runs `orchard demo` in a process of its own, as a user does."""

import csv
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.airflow.in_process import OUTSIDE
from tests.support.checkout import NODE_PYTHON, ROOT
from tests.support.orchard_command import run_orchard
from tests.support.polling import wait_for
from tests.support.run_inputs import draw_images, package_code

RUN_SECONDS = 1800.0  # against a hang: a machine may be slow


@pytest.fixture(autouse=True, scope="session")
def let_children_take_ctrl_c() -> None:
    """A shell has what it starts in the background ignore Ctrl-C, and with it all that this starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))


@dataclass
class Demo:
    """One run of the demo.

    Args:
        process: The demo.
        lake: Where it writes.
        state: Where its Airflow and local EMR keep their logs.
    """

    process: "subprocess.Popen[str]"
    lake: Path
    state: Path
    output: str = ""

    def finish(self) -> int:
        """Wait for its end; return its exit code."""
        self.output, _ = self.process.communicate(timeout=RUN_SECONDS)
        return self.process.returncode

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def find_driver(self, job: str) -> psutil.Process:
        """Return the JVM of a job's Spark driver, as soon as it works on images."""

        def look() -> psutil.Process | None:
            assert self.process.poll() is None, f"the demo ended first: {self.process.communicate()[0]}"
            if not any(self.lake.glob(f"runs/*/reports/{job}.json")):
                return None
            return next(filter(self._is_driver_of(job), psutil.process_iter(["cmdline"])), None)

        return wait_for(look, f"the driver of {job}", RUN_SECONDS)

    def _is_driver_of(self, job: str) -> Callable[[psutil.Process], bool]:
        def is_driver(process: psutil.Process) -> bool:
            command = process.info["cmdline"] or []
            starts = "org.apache.spark.deploy.SparkSubmit" in command and job in command
            return starts and any(str(self.lake) in argument for argument in command)

        return is_driver

    def latest(self) -> dict[str, object] | None:
        path = self.lake / "latest.json"
        return json.loads(path.read_text()) if path.exists() else None

    def rows(self) -> list[list[str]]:
        """Return the rows of the newest CSV, without its header."""
        latest = self.latest()
        assert latest is not None
        return read_rows(Path(str(latest["csv"]).removeprefix("file://")))[1:]


StartDemo = Callable[..., Demo]


@pytest.fixture(scope="session")
def weights(untrained_model: Path) -> Path:
    """A .keras file: with it no demo asks the internet for weights."""
    return untrained_model / "model.keras"


@pytest.fixture
def start_demo(tmp_path: Path, weights: Path) -> Iterator[StartDemo]:
    """Start demos on one lake; whatever is left of them at the end of the test is killed."""
    started: list[Demo] = []

    def start(images: Path, **variables: str) -> Demo:
        environment = {**OUTSIDE, "ORCHARD_STATE": str(tmp_path / "state"), **variables}
        options = {
            "images": images,
            "weights": environment.pop("WEIGHTS", weights),
            "lake": tmp_path / "a lake",
        }
        process = subprocess.Popen(
            [ROOT / ".venv" / "bin" / "orchard", "demo", *(f"--{name}={at}" for name, at in options.items())],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(Demo(process, tmp_path / "a lake", tmp_path / "state"))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            for process in [*demo.descendants(), demo.process]:
                process.kill()


@pytest.fixture
def sample_images(tmp_path: Path) -> Path:
    """Drawn images of three classes."""
    folder = tmp_path / "images"
    draw_images(folder, per_class=8)
    return folder


@pytest.fixture
def bad_images(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Every bad image beside enough good ones, and what must become of each."""
    folder = tmp_path / "bad & good images"
    program = (
        "import json, sys; from pathlib import Path; from tests.support.bad_images import write_folder; "
        "print(json.dumps(write_folder(Path(sys.argv[1]), good=700, vanishing=False)))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'spark_jobs'}"}
    written = subprocess.run(
        [NODE_PYTHON, "-c", program, folder], env=environment, check=True, capture_output=True, text=True
    )
    return folder, json.loads(written.stdout)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory, untrained_model: Path) -> Path:
    """A lake after one run of `orchard run`, with a blank in its name."""
    folder = tmp_path_factory.mktemp("one run")
    draw_images(folder / "images", per_class=4)
    (folder / "images" / "broken.jpg").write_bytes(b"no image")
    package_code(ROOT / "build")
    given = [str(folder / "images"), "--model", f"file://{untrained_model}", "--components", "2"]
    done = run_orchard(folder / "a lake", "run", *given, "--max-failure-ratio", "0.5")
    assert done.returncode == 0, done.stderr
    return folder / "a lake"
