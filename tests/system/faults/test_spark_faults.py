"""Spark's processes die, take too long or have no room. Here spark-submit is Spark's own."""

import gzip
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.polling import wait_for
from tests.system.faults.checks import prove_contained
from tests.system.faults.node import Node
from tests.system.faults.scenario import Scenario
from tests.system.faults.standalone import Standalone, python_workers, running_standalone


@pytest.fixture(scope="module")
def standalone(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with running_standalone(node, tmp_path_factory.mktemp("standalone")) as standalone:
        yield standalone


@pytest.mark.fault(
    "a Spot node is lost: `kill -9` of a Spark executor in the middle of featurize",
    then="Spark repeats its tasks elsewhere; the run succeeds",
)
def test_a_lost_executor_is_replaced(scenario: Scenario, standalone: Standalone) -> None:
    on_cluster(scenario, standalone)
    with scenario.meanwhile(lambda: standalone.executor_at_work().kill()):
        assert str(scenario.run().state) == "success"
    assert "Lost executor" in step_log(scenario, "featurize")
    assert standalone.executors() == []
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.fault(
    "a Python worker is killed for its memory: SIGKILL in the middle of featurize",
    then="Spark repeats its task; the run succeeds",
)
def test_a_killed_python_worker_is_replaced(scenario: Scenario, standalone: Standalone) -> None:
    on_cluster(scenario, standalone)
    with scenario.meanwhile(lambda: standalone.python_worker().kill()):
        assert str(scenario.run().state) == "success"
    assert "Python worker exited unexpectedly" in step_log(scenario, "featurize")
    prove_contained(scenario, published=True, clusters=1)


@pytest.mark.fault(
    "a Python worker crashes: SIGSEGV in the middle of featurize, where Spark does not repeat a task",
    then="the run fails and says so",
)
def test_a_crashed_python_worker_fails_its_step(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    def crash() -> None:
        driver = scenario.wait_for_driver("featurize")
        worker = wait_for(lambda: next(iter(python_workers(driver)), None), "a Python worker")
        worker.send_signal(signal.SIGSEGV)

    scenario.spark("featurize", how="real", options=["--master", "local[2]"])
    with scenario.meanwhile(crash):
        assert str(scenario.run().state) == "failed"
    assert "Python worker exited unexpectedly" in capfd.readouterr().out
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault(
    "`kill -9` of the driver in the middle of featurize", then="the run fails and shows its log"
)
def test_a_killed_driver_fails_its_step(scenario: Scenario, capfd: pytest.CaptureFixture[str]) -> None:
    def kill() -> None:
        driver = scenario.wait_for_driver("featurize")
        wait_for(lambda: python_workers(driver), "a Python worker")
        driver.kill()

    scenario.spark("featurize", how="real")
    with scenario.meanwhile(kill):
        assert str(scenario.run().state) == "failed"
    shown = capfd.readouterr().out
    assert "is FAILED" in shown
    assert "The last lines of its stderr" in shown
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault("the driver's heap is full (OutOfMemoryError)", then="the run fails and shows the error")
def test_a_driver_without_memory_fails_its_step(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    # Spark does not start below 450 MiB, of which no job of a few images needs a tenth.
    room = ["--driver-memory", "28m", "--conf", "spark.testing.memory=2147483648"]
    scenario.spark("featurize", how="real", options=room)
    assert str(scenario.run().state) == "failed"
    assert "java.lang.OutOfMemoryError: Java heap space" in capfd.readouterr().out
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault(
    "a step takes longer than `ORCHARD_STEP_TIMEOUT`", then="the step is cancelled; the run fails"
)
def test_a_step_that_takes_too_long_is_cancelled(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    scenario.spark("featurize", how="real")
    assert str(scenario.run(ORCHARD_STEP_TIMEOUT="3").state) == "failed"
    assert "Cancelled after 3 s" in capfd.readouterr().out
    assert [step["Status"]["State"] for step in scenario.steps("featurize")] == ["CANCELLED"]
    prove_contained(scenario, published=False, clusters=1)


SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    # There is one task, of few images: so there are no others that its time could be compared with.
    "spark.speculation.task.duration.threshold": "1s",
    # How long Spark waits for the attempt that came too late, before it kills its worker.
    "spark.python.task.killTimeout": "120s",
}


@pytest.mark.fault(
    "a worker hangs in the middle of featurize (SIGSTOP), and goes on after another has done its task",
    then="with speculation, the run succeeds; what the late one does changes nothing",
)
def test_a_late_attempt_of_a_task_changes_nothing(scenario: Scenario, standalone: Standalone) -> None:
    def hang() -> None:
        worker = standalone.python_worker()
        worker.suspend()
        try:
            files = wait_for(lambda: all_features(scenario), "its twin")
            before = {file: (file.stat().st_ino, file.read_bytes()) for file in files}
        finally:
            worker.resume()
        # It is idle again, or gone, when it has dealt with its task.
        wait_for(lambda: not worker.is_running() or worker.num_threads() == 1, "the late worker to end")
        assert {file: (file.stat().st_ino, file.read_bytes()) for file in files} == before

    on_cluster(scenario, standalone, **SPECULATION)
    with scenario.meanwhile(hang):
        assert str(scenario.run().state) == "success"
    assert "speculatable" in step_log(scenario, "featurize")
    prove_contained(scenario, published=True, clusters=1)


def all_features(scenario: Scenario) -> list[Path]:
    """Return the files of features when each range of the manifest has one."""
    files = sorted(scenario.lake.glob("runs/*/features/part-*.parquet"))
    whole = sum(pq.read_metadata(file).num_rows for file in files)
    (manifest,) = scenario.lake.glob("runs/*/manifest.parquet")
    return files if whole == pq.read_metadata(manifest).num_rows else []


def on_cluster(scenario: Scenario, standalone: Standalone, **conf: str) -> None:
    options = ["--master", standalone.url, "--executor-memory", "1g", "--conf", "spark.executor.cores=1"]
    options += [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    scenario.spark("featurize", how="real", options=options)


def step_log(scenario: Scenario, job: str) -> str:
    (step,) = scenario.steps(job)
    (log,) = scenario.lake.glob(f"logs/*/steps/{step['Id']}/stderr.gz")
    return gzip.decompress(log.read_bytes()).decode(errors="replace")
