"""Running one step: what `command-runner.jar` does on EMR.

https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-commandrunner.html
"""

from __future__ import annotations

import logging
import shlex
import time

from local_emr.clusters.cluster import Cluster
from local_emr.clusters.step import Failure, Step
from local_emr.execution.logs import LogFolder, push_container_logs, step_log_uri
from local_emr.execution.node import Node
from local_emr.execution.processes import Command, Marker, run_command
from local_emr.execution.spark_submit import adapt_arguments

_LOGGER = logging.getLogger(__name__)
_CANNOT_RUN = 127


class CannotRunError(Exception):
    """The step asks for something that the local node does not have."""


def run_step(cluster: Cluster, node: Node, step: Step) -> None:
    """Run a step that is RUNNING to its end, write its logs, and settle its state."""
    try:
        code, failure = _run_logged(cluster, node, step)
    except Exception as error:  # a step must end, whatever happens to its runner
        _LOGGER.exception("step %s", step.step_id)
        code, failure = _CANNOT_RUN, Failure("Internal error.", repr(error))
    cluster.settle_step(step, code, failure)


def _run_logged(cluster: Cluster, node: Node, step: Step) -> tuple[int, Failure | None]:
    uri = step_log_uri(step.log_uri or cluster.request.get("LogUri"), cluster.cluster_id, step.step_id)
    log = LogFolder(node.folder / "log" / "steps" / step.step_id, uri)
    code, failure = _CANNOT_RUN, None
    try:
        code = _run_command_runner(cluster, node, step, log)
        if code != 0:
            failure = Failure("Unknown Error.", log.find_error(), log.file_uri("stderr"))
    except (CannotRunError, OSError) as error:
        log.note(f"ERROR: {error}")
        failure = Failure("Unable to run the step.", str(error), log.file_uri("controller"))
    log.push("controller", "stdout", "stderr", "syslog")
    push_container_logs(cluster.settings.container_logs, cluster.request.get("LogUri"), cluster.cluster_id)
    return code, failure


def _run_command_runner(cluster: Cluster, node: Node, step: Step, log: LogFolder) -> int:
    command, environment = _resolve_command(node, step, log)
    folder = node.folder / "steps" / step.step_id
    folder.mkdir(parents=True, exist_ok=True)
    log.note(f"startExec {shlex.join(command)}")
    started = time.monotonic()
    grace = cluster.settings.stop_grace_seconds

    def stop() -> float | None:
        if step.state != "CANCEL_PENDING":
            return None
        return 0.0 if step.stop_at_once else grace

    marker = Marker("LOCAL_EMR_STEP", step.step_id)
    # Swept as YARN would: the containers of an application do not outlive it.
    code = run_command(Command(command, folder, environment, log.output, marker), stop, sweep=True)
    took = time.monotonic() - started
    log.note(
        f"Step {'succeeded' if code == 0 else 'failed'} with exitCode {code} and took {took:.1f} seconds"
    )
    return code


def _resolve_command(node: Node, step: Step, log: LogFolder) -> tuple[list[str], dict[str, str]]:
    """The command and its environment. Never a shell's business: an argument is an argument."""
    jar_step = step.config["HadoopJarStep"]
    arguments = jar_step.get("Args", [])
    if jar_step["Jar"] != "command-runner.jar":
        raise CannotRunError(f"Jar is {jar_step['Jar']!r}: the local EMR runs command-runner.jar only")
    if not arguments:
        raise CannotRunError("command-runner.jar needs Args: the program and its arguments")
    program = node.find_program(arguments[0])
    if program is None:
        raise CannotRunError(
            f"Cannot run program {arguments[0]!r}: not in the node's Python environment nor in PATH"
        )
    if arguments[0] != "spark-submit":
        return [program, *arguments[1:]], node.step_environment()
    if missing := node.missing_pythons():
        raise CannotRunError(
            f"{', '.join(missing)}: there is no such program on the node. The cluster's bootstrap actions "
            "are to make it: see what they print"
        )
    adapted, notes = adapt_arguments(arguments[1:], node.capabilities)
    for note in (*node.notes, *notes):
        log.note(note)
    return node.spark_submit(program, adapted)
