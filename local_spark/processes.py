"""Processes that we start: how one ends with all that it started, and why it failed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import psutil

STOP_SECONDS = 20.0


def stop_session(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started in a session of its own, and all below it: politely, then not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(process.pid)
        tree = [leader, *leader.children(recursive=True)]
        process.terminate()
        _, alive = psutil.wait_procs(tree, STOP_SECONDS)
        for one in alive:
            one.kill()
    # What a leader that had ended by itself left behind.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def find_error(output: str) -> str | None:
    """Return a job's own last word, else the last line that looks like an error, else None."""
    lines = output.splitlines()
    told = [line for line in lines if line.startswith("orchard: ")]
    told = told or [line for line in lines if "Error" in line or "Exception" in line]
    return told[-1].removeprefix("orchard: ").strip() if told else None
