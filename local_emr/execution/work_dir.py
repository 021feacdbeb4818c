"""The server's working folder: one server at a time, and nothing left in it of one that was killed."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_emr.execution.processes import Marker, end_processes


class WorkDirInUseError(Exception):
    """Another server works in the folder."""


@contextmanager
def claim_work_dir(folder: Path) -> Iterator[None]:
    """Hold the folder. A server that was killed outright could end nothing: what it left goes now."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkDirInUseError(
                f"{folder} is in use by another local EMR: give another --work-dir"
            ) from error
        for left in folder.glob("j-*"):
            end_processes(Marker("ORCHARD_CLUSTER", left.name), grace=0.0)
            shutil.rmtree(left, ignore_errors=True)
        yield
