"""What ends the processes of clusters when their server is killed outright, and can do nothing itself.

A process of its own, which holds one end of a pipe. The server names a cluster's folder when the cluster
starts and again when it has ended, and whatever kills the server closes the pipe. A parent-death signal
(prctl) would reach the steps' own processes alone, and not what these have started.
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
    """Watches over the clusters of a server, from the first of them on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def watch(self, folder: Path) -> None:
        """A cluster starts; `folder` is its own, and named like the cluster."""
        with self._lock:
            if self._process is None:
                self._process = _start()
            _tell(self._process, f"+{folder}")

    def release(self, folder: Path) -> None:
        """Nothing of the cluster is left."""
        with self._lock:
            if self._process is not None:
                _tell(self._process, f"-{folder}")

    def close(self) -> None:
        """End; clusters that were not released end with it."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                # Said, and not only closed: what was forked from this process may hold the pipe open.
                _tell(self._process, _CLOSE)
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
                self._process.wait()


def main() -> None:
    """Read what the server tells until its end of the pipe is closed; then end what it has left."""
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
    # A session of its own: what is sent to the server's does not reach it.
    return subprocess.Popen(
        [sys.executable, "-m", "local_emr.execution.guard"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )


def _tell(process: subprocess.Popen[str], line: str) -> None:
    """One that was killed is told nothing: clusters do without it."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()


if __name__ == "__main__":
    main()
