"""Starts the processes of a step or a cluster, and ends them with all of their descendants.

A process group is not enough to end a Spark job: the daemon that forks Python workers creates its own group
(`os.setpgid` in pyspark/daemon.py), and a process that outlives its parent is no longer a descendant. So
three traces are followed: descent, the session (which survives re-parenting), and a marker in the
environment (which survives `setsid`).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_POLL_SECONDS = 0.05
_KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Marker:
    """An environment variable that marks a process as belonging to a step or a cluster."""

    name: str
    value: str


def build_cluster_marker(cluster_id: str) -> Marker:
    """Return the marker of all processes of a cluster, including those of its steps."""
    return Marker("LOCAL_EMR_CLUSTER", cluster_id)


@dataclass(frozen=True)
class Output:
    """Files for the output of a command."""

    stdout: Path
    stderr: Path


@dataclass(frozen=True)
class Command:
    """A program with its arguments, environment and folder."""

    arguments: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    output: Output
    marker: Marker


def run_command(command: Command, stop: Callable[[], float | None], sweep: bool) -> int:
    """Run a command until it ends or is stopped; return its exit code, as a shell does.

    `stop` returns None, or the seconds from SIGTERM to SIGKILL. With `sweep`, processes that the command
    leaves behind are ended too.
    """
    output, marker = command.output, command.marker
    with output.stdout.open("ab") as stdout, output.stderr.open("ab") as stderr:
        process = subprocess.Popen(
            command.arguments,
            cwd=command.cwd,
            env={**command.env, marker.name: marker.value},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        while (grace := stop()) is None and process.poll() is None:
            time.sleep(_POLL_SECONDS)
        if sweep or grace is not None:
            end_processes(marker, grace or 0.0, root=process)
        code = process.wait()
    return code if code >= 0 else 128 - code


def end_processes(marker: Marker, grace: float, root: subprocess.Popen[bytes] | None = None) -> None:
    """Send SIGTERM to all processes with the marker, and SIGKILL after `grace` seconds until none is left."""
    # Remembered once seen: a process whose parent ends first may leave no other trace.
    seen: dict[int, psutil.Process] = {}
    if grace:
        _signal(_find_processes(marker, root, seen), psutil.Process.terminate)
        deadline = time.monotonic() + grace
        while _find_processes(marker, root, seen) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    deadline = time.monotonic() + _KILL_SECONDS
    # Repeated, because a process may fork between the search and the kill.
    while (left := _find_processes(marker, root, seen)) and time.monotonic() < deadline:
        _signal(left, psutil.Process.kill)
        time.sleep(_POLL_SECONDS)


def _signal(processes: Sequence[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            send(process)


def _find_processes(
    marker: Marker, root: subprocess.Popen[bytes] | None, seen: dict[int, psutil.Process]
) -> list[psutil.Process]:
    """Return all live processes with the marker; `seen` collects them."""
    if root is not None:
        root.poll()  # reaps it, so that no zombie remains while its children are searched for
    session = root.pid if root is not None else None
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _belongs(process, marker, session):
            seen[process.pid] = process
    for process in list(seen.values()):
        with contextlib.suppress(psutil.Error):
            seen.update((child.pid, child) for child in process.children(recursive=True))
    return [process for process in seen.values() if _is_alive(process)]


def _belongs(process: psutil.Process, marker: Marker, session: int | None) -> bool:
    with contextlib.suppress(OSError):
        if session is not None and os.getsid(process.pid) == session:
            return True
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get(marker.name) == marker.value
    return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
