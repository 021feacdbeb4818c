"""Ends a process with all that it started."""

from __future__ import annotations

import subprocess

import psutil

STOP_SECONDS = 20.0


def stop_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it: politely, then not."""
    try:
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    process.terminate()
    _, alive = psutil.wait_procs(tree, STOP_SECONDS)
    for one in alive:
        one.kill()
    process.wait()
