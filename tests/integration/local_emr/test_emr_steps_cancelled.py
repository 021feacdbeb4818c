"""Steps that are cancelled, killed, or end with their cluster leave no process behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.support.local_emr_client import (
    add_step,
    bash_step,
    state_of,
    step_states,
    step_status,
    wait_for_cluster,
    wait_for_step,
)
from tests.support.polling import wait_for

Run = Callable[..., str]


def processes_of(step_id: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.environ().get("LOCAL_EMR_STEP") == step_id
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_cancelling_ends_a_running_step_with_its_descendants_and_pending_ones_at_once(
    emr: Any, run: Run
) -> None:
    """One child leaves the session; another also drops the marker and ignores SIGTERM. Both must end."""
    stubborn = "trap '' TERM; while :; do sleep 1; done"
    script = f'setsid sleep 300 & env -i setsid bash -c "{stubborn}" & sleep 300'
    cluster_id = run(Steps=[bash_step(script, name="running"), bash_step(":", name="pending")])
    steps = {step["Name"]: step["Id"] for step in emr.list_steps(ClusterId=cluster_id)["Steps"]}
    wait_for_step(emr, cluster_id, steps["running"], "RUNNING")
    descendants = wait_for(lambda: _tree(steps["running"], size=5), "the step's processes")
    answer = emr.cancel_steps(ClusterId=cluster_id, StepIds=[steps["pending"], steps["running"]])
    assert answer["CancelStepsInfoList"] == [
        {"StepId": steps["pending"], "Status": "SUBMITTED"},
        {"StepId": steps["running"], "Status": "SUBMITTED"},
    ]
    assert step_status(emr, cluster_id, steps["pending"])["State"] == "CANCELLED"
    wait_for_step(emr, cluster_id, steps["running"], "CANCELLED")
    assert [process for process in descendants if process.is_running() and process.status() != "zombie"] == []
    assert wait_for_cluster(emr, cluster_id, "WAITING")


def _tree(step_id: str, size: int) -> list[psutil.Process] | None:
    roots = processes_of(step_id)
    family = {p.pid: p for root in roots for p in [root, *root.children(recursive=True)]}
    return list(family.values()) if len(family) >= size else None


def test_terminate_process_leaves_a_step_no_time(emr: Any, run: Run, tmp_path: Path) -> None:
    script = f"trap 'touch {tmp_path}/asked; exit' TERM; touch {tmp_path}/up; while :; do sleep 0.1; done"
    cluster_id = run()
    for option, asked in (("SEND_INTERRUPT", True), ("TERMINATE_PROCESS", False)):
        step_id = add_step(emr, cluster_id, bash_step(script))
        wait_for((tmp_path / "up").exists, "the step to be up")
        emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption=option)
        wait_for_step(emr, cluster_id, step_id, "CANCELLED")
        assert (tmp_path / "asked").exists() is asked
        (tmp_path / "asked").unlink(missing_ok=True)
        (tmp_path / "up").unlink()


def test_an_ended_step_cannot_be_cancelled(emr: Any, run: Run) -> None:
    cluster_id = run()
    step_id = add_step(emr, cluster_id, bash_step("exit 0"))
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    assert emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id])["CancelStepsInfoList"] == [
        {"StepId": step_id, "Status": "FAILED", "Reason": "Step is COMPLETED: it cannot be cancelled."}
    ]


def test_terminating_a_cluster_cancels_its_steps(emr: Any, run: Run) -> None:
    cluster_id = run(Steps=[bash_step("sleep 300", name="running"), bash_step(":", name="pending")])
    running = emr.list_steps(ClusterId=cluster_id, StepStates=["PENDING", "RUNNING"])["Steps"][-1]["Id"]
    processes = wait_for(lambda: processes_of(running), "the step's process")
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    wait_for_cluster(emr, cluster_id, "TERMINATED")
    assert step_states(emr, cluster_id) == {"running": "CANCELLED", "pending": "CANCELLED"}
    assert [process for process in processes if process.is_running() and process.status() != "zombie"] == []


def test_a_step_whose_process_is_killed_fails_and_the_cluster_goes_on(emr: Any, run: Run) -> None:
    cluster_id = run()
    step_id = add_step(emr, cluster_id, bash_step("sleep 300"))
    for process in wait_for(lambda: processes_of(step_id), "the step's process"):
        os.kill(process.pid, signal.SIGKILL)
    wait_for_step(emr, cluster_id, step_id, "FAILED")
    after = add_step(emr, cluster_id, bash_step("exit 0"))
    wait_for_step(emr, cluster_id, after, "COMPLETED")
    assert state_of(emr, cluster_id) in ("RUNNING", "WAITING")
