"""The metrics of a job, as JSON in the run folder, rewritten while it works so that others can watch.

``{"job", "state": "running|succeeded|failed", "started_at", "finished_at", "seconds",
"phases": {name: seconds}, "versions", …}`` and, while a phase reports progress, ``"done"``, ``"total"`` and
``"images_per_second"``. Times are UTC, in ISO 8601.
"""

import json
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

import numpy
import pyarrow
import pyspark
from obstore.exceptions import BaseError

from orchard_jobs.storage import refusing, write_bytes

PROGRESS_INTERVAL = 2.0  # seconds between two PUTs of the metrics


class JobMetrics:
    """The metrics of one job. Use them as a context manager: leaving it writes the final state."""

    def __init__(self, job: str, uri: str) -> None:
        self._uri = uri
        self._started = time.monotonic()
        self._content: dict[str, Any] = {
            "job": job,
            "state": "running",
            "started_at": _now(),
            "phases": {},
            "versions": _versions(),
        }

    def __enter__(self) -> Self:
        """Write the first metrics, so that a run folder that is not writable fails before any work is done.

        Raises:
            OrchardError: if the run folder cannot be written.
        """
        with refusing(
            self._uri,
            rule="--output must name a writable folder",
            remedy="correct it, or allow writing there",
        ):
            self._write()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._content |= {"state": "succeeded" if kind is None else "failed", "finished_at": _now()}
        if error is not None:
            self._content["error"] = " ".join(str(error).split())[:2000]
        self._rewrite()

    def describe(self, **facts: Any) -> None:
        """Add facts under their names."""
        self._content.update(facts)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, in wall-clock seconds of the driver."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._content["phases"][name] = round(time.monotonic() - started, 3)

    @contextmanager
    def progress(self, total: int, count_done: Callable[[], int]) -> Iterator[None]:
        """While the block runs, keep rewriting the metrics with its progress and rate."""
        started = time.monotonic()
        finished = threading.Event()

        def note() -> None:
            done = min(count_done(), total)  # a retried task counts twice
            self.describe(done=done, total=total)
            if total:
                rate = done / max(time.monotonic() - started, 1e-9)
                self.describe(images_per_second=round(rate, 1))

        def watch() -> None:
            while not finished.wait(PROGRESS_INTERVAL):
                note()
                self._rewrite()

        note()
        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            finished.set()
            watcher.join()
            note()

    def _rewrite(self) -> None:
        """Write the metrics. A failure to do so must not hide the job's results or its error."""
        try:
            self._write()
        except (OSError, BaseError) as error:
            print(f"cannot write {self._uri}: {error}", file=sys.stderr)

    def _write(self) -> None:
        self._content["seconds"] = round(time.monotonic() - self._started, 3)
        write_bytes(self._uri, json.dumps(self._content, indent=2, sort_keys=True).encode() + b"\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "spark": pyspark.__version__,
        "numpy": numpy.__version__,
        "pyarrow": pyarrow.__version__,
    }
