"""Runs the local EMR as a child process, for the duration of a `with` block."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local_emr.authentication import CREDENTIALS, AccessKey, Endpoint

_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


class EmrDidNotStartError(Exception):
    """The server ended, or did not start in time."""


@contextmanager
def running_emr(
    node_python: Path,
    work_dir: Path,
    port: int = 0,
    log_file: Path | None = None,
    options: Sequence[str] = (),
) -> Iterator[Endpoint]:
    """Start a local EMR and yield its endpoint. It ends with the block, including all clusters and processes.

    `options` are further options of `python -m local_emr`. Its log goes to `log_file`, by default to stderr.
    """
    with tempfile.TemporaryDirectory(prefix="local-emr-") as folder:
        ready_file = Path(folder) / "url"
        command = [
            *(sys.executable, "-m", "local_emr", "--exit-with-parent"),
            *("--node-python", str(node_python.absolute())),
            *("--work-dir", str(work_dir.absolute())),
            *("--port", str(port)),
            *("--ready-file", str(ready_file)),
            *options,
        ]
        log = log_file.open("ab") if log_file is not None else None
        # In a session of its own: Ctrl-C only reaches the caller, which then stops the server in order.
        process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log or sys.stderr,
            stderr=log,
            start_new_session=True,
        )
        try:
            url = _wait_for_url(process, ready_file)
            yield Endpoint(url, AccessKey.read(work_dir / CREDENTIALS))
        finally:
            _stop(process)
            if log is not None:
                log.close()


def _wait_for_url(process: subprocess.Popen[bytes], ready_file: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while not ready_file.exists():
        if process.poll() is not None:
            raise EmrDidNotStartError(f"the local EMR ended with exit code {process.returncode}: see its log")
        if time.monotonic() > deadline:
            raise EmrDidNotStartError(f"the local EMR did not listen within {_START_SECONDS:.0f} s")
        time.sleep(0.05)
    return ready_file.read_text(encoding="utf-8")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
