"""Runs one step: its process, its logs, its final state."""

from __future__ import annotations

import logging
import shlex
import time

from local_emr.clusters.cluster import Cluster
from local_emr.clusters.step import Failure, Step
from local_emr.execution.jars import CannotRunError, build_step_command
from local_emr.execution.logs import LogFolder, push_container_logs, step_log_uri
from local_emr.execution.node import Node
from local_emr.execution.processes import Command, Marker, run_command

_LOGGER = logging.getLogger(__name__)
_CANNOT_RUN = 127


def run_step(cluster: Cluster, node: Node, step: Step) -> None:
    """Run a step that is RUNNING to its end, write its logs, and settle its state."""
    try:
        code, failure = _run_logged(cluster, node, step)
    except Exception as error:  # a step must end even if its runner fails
        _LOGGER.exception("step %s", step.step_id)
        code, failure = _CANNOT_RUN, Failure("Internal error.", repr(error))
    cluster.settle_step(step, code, failure)


def _run_logged(cluster: Cluster, node: Node, step: Step) -> tuple[int, Failure | None]:
    uri = step_log_uri(step.log_uri or cluster.request.get("LogUri"), cluster.cluster_id, step.step_id)
    log = LogFolder(node.folder / "log" / "steps" / step.step_id, uri, cluster.settings.s3_logs)
    code, failure = _CANNOT_RUN, None
    try:
        code = _run_command(cluster, node, step, log)
        if code != 0:
            failure = Failure("Unknown Error.", log.find_error(), log.file_uri("stderr"))
    except (CannotRunError, OSError) as error:
        log.note(f"ERROR: {error}")
        failure = Failure("Unable to run the step.", str(error), log.file_uri("controller"))
    log.push("controller", "stdout", "stderr", "syslog")
    push_container_logs(cluster.settings, cluster.request.get("LogUri"), cluster.cluster_id)
    return code, failure


def _run_command(cluster: Cluster, node: Node, step: Step, log: LogFolder) -> int:
    folder = node.folder / "steps" / step.step_id
    folder.mkdir(parents=True, exist_ok=True)
    command = build_step_command(node, step.config["HadoopJarStep"], folder)
    for note in command.notes:
        log.note(note)
    log.note(f"startExec {shlex.join(command.arguments)}")
    started = time.monotonic()
    grace = cluster.settings.stop_grace_seconds

    def stop() -> float | None:
        if step.state != "CANCEL_PENDING":
            return None
        return 0.0 if step.stop_at_once else grace

    marker = Marker("LOCAL_EMR_STEP", step.step_id)
    # YARN does the same: the containers of an application do not outlive it.
    running = Command(command.arguments, folder, command.environment, log.output, marker)
    code = run_command(running, stop, sweep=True)
    took = time.monotonic() - started
    log.note(
        f"Step {'succeeded' if code == 0 else 'failed'} with exitCode {code} and took {took:.1f} seconds"
    )
    return code
