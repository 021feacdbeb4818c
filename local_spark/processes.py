"""Child processes: stopping one with all its descendants, and finding out why it failed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import psutil

STOP_SECONDS = 20.0


def stop_session(process: subprocess.Popen[bytes]) -> None:
    """Stop a process that leads a session, with all its descendants: SIGTERM first, then SIGKILL."""
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(process.pid)
        tree = [leader, *leader.children(recursive=True)]
        process.terminate()
        _, alive = psutil.wait_procs(tree, STOP_SECONDS)
        for one in alive:
            one.kill()
    # Descendants of a leader that had already exited.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def find_error(output: str) -> str | None:
    """Return the last error that a job printed, else the last line that looks like an error, else None."""
    lines = output.splitlines()
    errors = [line for line in lines if line.startswith("orchard: ")]
    errors = errors or [line for line in lines if "Error" in line or "Exception" in line]
    return errors[-1].removeprefix("orchard: ").strip() if errors else None
