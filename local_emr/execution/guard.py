"""The guard: a second process that ends the clusters' processes if the server is killed with SIGKILL.

It holds one end of a pipe. The server writes a cluster's folder to the pipe when the cluster starts and again
when it has ended. If the server dies, the pipe closes. A parent-death signal (prctl) would only reach the
steps' own processes, and not their children.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from local_emr.execution.processes import build_cluster_marker, end_processes

_ROOT = Path(__file__).resolve().parents[2]
_CLOSE = "close"


class Guard:
    """Starts the guard with the first cluster, and tells it which clusters live."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def watch(self, folder: Path) -> None:
        """Guard a cluster that starts; `folder` is its working folder, named after its id."""
        with self._lock:
            if self._process is None:
                self._process = _start()
            _write_line(self._process, f"+{folder}")

    def release(self, folder: Path) -> None:
        """Stop guarding a cluster of which no process is left."""
        with self._lock:
            if self._process is not None:
                _write_line(self._process, f"-{folder}")

    def close(self) -> None:
        """End the guard, and with it the processes of clusters that were not released."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                # Sent explicitly, because processes forked from this one may hold the pipe open.
                _write_line(self._process, _CLOSE)
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
                self._process.wait()


def main() -> None:
    """Read the pipe until the server closes it; then end the processes that are left."""
    folders: set[str] = set()
    for line in sys.stdin:
        told = line.removesuffix("\n")
        if told == _CLOSE:
            break
        (folders.add if told.startswith("+") else folders.discard)(told[1:])
    for folder in map(Path, sorted(folders)):
        end_processes(build_cluster_marker(folder.name), grace=0.0)
        shutil.rmtree(folder, ignore_errors=True)


def _start() -> subprocess.Popen[str]:
    # In a session of its own, so that signals to the server's session do not reach it.
    return subprocess.Popen(
        [sys.executable, "-m", "local_emr.execution.guard"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )


def _write_line(process: subprocess.Popen[str], line: str) -> None:
    """Write a line to the guard. If it was killed, clusters run without it."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()


if __name__ == "__main__":
    main()
