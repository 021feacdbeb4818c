"""Spark's processes die, take too long or have no room. Here spark-submit is Spark's own."""

import gzip
import signal
from collections.abc import Iterator

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

    scenario.spark("featurize", how="real")
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
    # Spark does not start below 450 MiB, of which no job of a few images needs the half.
    room = ["--driver-memory", "48m", "--conf", "spark.testing.memory=2147483648"]
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


def on_cluster(scenario: Scenario, standalone: Standalone) -> None:
    options = ["--master", standalone.url, "--executor-memory", "1g", "--conf", "spark.executor.cores=1"]
    scenario.spark("featurize", how="real", options=options)


def step_log(scenario: Scenario, job: str) -> str:
    (step,) = scenario.steps(job)
    (log,) = scenario.lake.glob(f"logs/*/steps/{step['Id']}/stderr.gz")
    return gzip.decompress(log.read_bytes()).decode(errors="replace")
