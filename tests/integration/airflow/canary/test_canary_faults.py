"""Injected faults: each is found by its check, with a remedy, and nothing is left after any of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canary.canary import Outcomes, plan_canary, run_canary
from canary.checks import CHECKS
from orchard.settings.settings import Settings
from readiness.finding import Outcome
from tests.integration.airflow.canary.conftest import StartEmr
from tests.support.airflow.dag_runs import behave, live_clusters
from tests.support.local_emr_client import control

SPARK_ONLY = "event logs"
"""The fake Spark writes none: they are missing in every one of these canaries."""


def fly(settings: Settings, idle_wait: float = 60.0, tell: Callable[[str], None] = print) -> Outcomes:
    return run_canary(plan_canary(settings, "eu-west-3", idle_wait), "", tell)


def list_files(lake: Path) -> set[str]:
    return {
        str(path.relative_to(lake)) for path in lake.rglob("*") if path.is_file() and path.name != ".keep"
    }


@pytest.fixture
def lake(canary_settings: Settings, tmp_path: Path) -> Path:
    return tmp_path / "a lake"


def read_failed(outcomes: Outcomes) -> dict[str, tuple[str, str]]:
    failed = [one for one in outcomes.findings if one.outcome is Outcome.FAIL and one.check != SPARK_ONLY]
    return {one.check: (one.found, one.remedy) for one in failed}


def read_skipped(outcomes: Outcomes) -> set[str]:
    return {one.check for one in outcomes.findings if one.outcome is Outcome.SKIPPED}


@pytest.fixture
def nothing_left(lake: Path) -> Callable[[], bool]:
    before = list_files(lake)
    return lambda: (live_clusters(), list_files(lake)) == ([], before)


def test_a_sound_cluster_passes_every_check_and_leaves_nothing(
    start_emr: StartEmr, canary_settings: Settings, nothing_left: Callable[[], bool]
) -> None:
    start_emr()
    outcomes = fly(canary_settings)
    assert read_failed(outcomes) == {}
    assert read_skipped(outcomes) == {"network"}
    names = [check.name for check in CHECKS]
    assert [one.check for one in outcomes.findings] == [*names, "no clusters left", "no objects left"]
    phases = {phase.name for phase in outcomes.phases}
    assert {"start of the cluster", "featurize: the step", "end of the cluster"} <= phases
    assert "idle, until EMR terminated it" in phases
    assert {*outcomes.costs} == {"first cluster", "idle cluster"}
    assert nothing_left()


def test_missing_event_logs_are_found(start_emr: StartEmr, canary_settings: Settings) -> None:
    start_emr()
    (found,) = [one for one in fly(canary_settings).findings if one.check == SPARK_ONLY]
    assert found.outcome is Outcome.FAIL
    assert found.found.startswith("fewer than 3 of this run in file://")
    assert "node role" in found.remedy


@pytest.mark.parametrize("job", ["featurize", "reduce", "export"])
def test_a_failed_step_is_quoted_and_what_needs_it_is_not_reached(
    job: str,
    start_emr: StartEmr,
    canary_settings: Settings,
    node: Path,
    nothing_left: Callable[[], bool],
) -> None:
    start_emr()
    behave(node, **{job: "fail"})
    outcomes = fly(canary_settings)
    failed = read_failed(outcomes)
    assert {*failed} == {job}, failed
    found, remedy = failed[job]
    assert "RuntimeError: the job's own last words" in found
    assert remedy.endswith("/stdout.gz and stderr.gz")
    assert {"publication", "run.json", "CSV", "cost record"} <= read_skipped(outcomes)
    assert nothing_left()


def test_a_cluster_without_capacity_is_told_as_emr_tells_it(
    start_emr: StartEmr, canary_settings: Settings, nothing_left: Callable[[], bool]
) -> None:
    endpoint = start_emr()
    control(endpoint, "POST", "faults", {"kind": "no_capacity", "action": "RunJobFlow", "seconds": 1})
    outcomes = fly(canary_settings)
    ((name, (found, remedy)),) = read_failed(outcomes).items()
    assert name == "start"
    assert "TERMINATED_WITH_ERRORS" in found
    assert "orchard preflight" in remedy
    assert {"featurize", "idle cluster"} <= read_skipped(outcomes)
    assert nothing_left()


def test_a_cluster_that_stays_in_starting_is_given_up_and_ended(
    start_emr: StartEmr, canary_environ: dict[str, str], nothing_left: Callable[[], bool]
) -> None:
    start_emr("--provisioning-seconds", "600")
    outcomes = fly(Settings.from_env({**canary_environ, "ORCHARD_START_TIMEOUT": "2"}))
    ((name, (found, remedy)),) = read_failed(outcomes).items()
    assert (name, found) == ("start", "not ready within 2 s: it was STARTING")
    assert "endpoints" in remedy
    assert nothing_left()


def test_a_failing_bootstrap_action_is_told(
    start_emr: StartEmr, canary_settings: Settings, lake: Path, nothing_left: Callable[[], bool]
) -> None:
    start_emr()
    (lake / "code" / "install_node.sh").write_text("exit 7\n")
    outcomes = fly(canary_settings)
    assert "BOOTSTRAP_FAILURE" in read_failed(outcomes)["start"][0]
    assert nothing_left()


def test_an_idle_cluster_that_emr_does_not_end_is_told_and_ended(
    start_emr: StartEmr, canary_settings: Settings, nothing_left: Callable[[], bool]
) -> None:
    start_emr("--speedup", "0.01")
    outcomes = fly(canary_settings, idle_wait=1.0)
    ((name, (found, remedy)),) = read_failed(outcomes).items()
    assert name == "idle cluster"
    assert "is WAITING 1 s after it was ready, with an idle timeout of 60 s" in found
    assert "watch.yaml" in remedy
    assert nothing_left()


def test_a_csv_that_lacks_a_row_is_found(
    start_emr: StartEmr, canary_settings: Settings, node: Path, nothing_left: Callable[[], bool]
) -> None:
    start_emr()
    behave(node, export="lose a row")
    outcomes = fly(canary_settings)
    assert read_failed(outcomes)["CSV"][0] == "18 rows of 18 images, not 19"
    assert "the step export" in read_failed(outcomes)["CSV"][1]
    assert nothing_left()


def test_missing_logs_of_steps_and_nodes_are_found(
    start_emr: StartEmr, canary_settings: Settings, lake: Path, nothing_left: Callable[[], bool]
) -> None:
    start_emr()

    def lose_logs(news: str) -> None:
        if news == "logs of steps":
            shutil.rmtree(lake / "logs")

    outcomes = fly(canary_settings, tell=lose_logs)
    failed = read_failed(outcomes)
    assert {*failed} == {"logs of steps", "logs of nodes"}
    assert "featurize/controller" in failed["logs of steps"][0]
    assert nothing_left()


def test_a_lost_answer_makes_no_second_cluster(
    start_emr: StartEmr, canary_settings: Settings, nothing_left: Callable[[], bool]
) -> None:
    endpoint = start_emr()
    fault: dict[str, Any] = {"kind": "reset", "action": "RunJobFlow", "when": "after", "times": 1}
    control(endpoint, "POST", "faults", fault)
    outcomes = fly(canary_settings)
    assert read_failed(outcomes) == {}
    (left,) = [one for one in outcomes.findings if one.check == "no clusters left"]
    assert left.found.startswith("all 2 that were created have ended")
    assert nothing_left()


def test_a_refused_request_names_the_permission(start_emr: StartEmr, canary_settings: Settings) -> None:
    endpoint = start_emr()
    control(endpoint, "POST", "faults", {"kind": "access_denied", "action": "RunJobFlow"})
    found, remedy = read_failed(fly(canary_settings))["creation"]
    assert "AccessDeniedException" in found
    assert "orchard preflight" in remedy


def test_outcomes_are_json_with_every_claim(start_emr: StartEmr, canary_settings: Settings) -> None:
    start_emr()
    said = json.loads(json.dumps(fly(canary_settings).to_json()))
    assert said["is_local"] is True
    assert {one["verdict"] for one in said["claims"]} == {"not shown"}
