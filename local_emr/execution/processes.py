"""Processes of a step or a cluster: started apart, and ended to the last descendant.

A process group is not enough to end a Spark job: the daemon that forks Python workers makes a group of its
own (`os.setpgid` in pyspark/daemon.py), and whatever outlives its parent is nobody's descendant. Three traces
are followed: descent, the session (which survives re-parenting), and a marker in the environment (which
survives `setsid`).
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
    """A variable in the environment that says to whom a process belongs."""

    name: str
    value: str


def build_cluster_marker(cluster_id: str) -> Marker:
    """What all processes of a cluster bear, those of its steps included."""
    return Marker("LOCAL_EMR_CLUSTER", cluster_id)


@dataclass(frozen=True)
class Output:
    """Files that take what a command prints."""

    stdout: Path
    stderr: Path


@dataclass(frozen=True)
class Command:
    """A program with its arguments, and where it runs."""

    arguments: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    output: Output
    marker: Marker


def run_command(command: Command, stop: Callable[[], float | None], sweep: bool) -> int:
    """Run until it ends, or `stop` returns the seconds from SIGTERM to SIGKILL; the exit code as a shell's.

    With `sweep`, what the command leaves running when it ends by itself is ended too.
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
    """SIGTERM to all that bear the marker; SIGKILL after `grace` seconds, until nothing is left."""
    # Once seen, never lost: a process whose parent goes first may have no other trace.
    seen: dict[int, psutil.Process] = {}
    if grace:
        _signal(_find_processes(marker, root, seen), psutil.Process.terminate)
        deadline = time.monotonic() + grace
        while _find_processes(marker, root, seen) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    deadline = time.monotonic() + _KILL_SECONDS
    # Again and again: a process may fork between the look and the kill.
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
    """All that live; `seen` gathers them."""
    if root is not None:
        root.poll()  # reaps it, so that it does not stay as a zombie while its children are looked for
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
