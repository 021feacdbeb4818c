"""The last lines of a step's and its driver's output, from EMR's logs."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from orchard_airflow.emr_api import runs_driver_in_container
from orchard_airflow.log_files import list_folders, read_end

T = TypeVar("T")

SHOWN_LINES = 60
"""The cause is in the last lines of a Spark stack trace."""

OUTPUTS = ("stderr", "stdout")
"""Spark logs to stderr. Python's output, including tracebacks, is in stdout, because Spark merges both
streams of the driver's Python process. It comes last, where people look first."""

APPLICATION = re.compile(r"\bapplication_(\d{10,15}_\d{4,10})\b")


def last_lines(
    log_uri: str | None, cluster_id: str, step: Mapping[str, Any], *, timeout: float, hook: Mapping[str, Any]
) -> str:
    """Return the end of a step's stderr and stdout, or why they are missing.

    If its driver ran in a container, the end of the driver's output follows: the step's own output only
    covers the submission. Waits up to ``timeout`` seconds, because EMR uploads logs every five minutes.
    ``step`` is DescribeStep's; ``hook`` holds the arguments of S3Hook.
    """
    if not log_uri:
        return "(the cluster has no LogUri, so the step's output is lost)"
    waiting = _Waiting(time.monotonic() + timeout, hook)
    logs = f"{log_uri.rstrip('/')}/{cluster_id}"
    said = waiting.last_lines(f"{logs}/steps/{step['Id']}")
    shown = [f"The last lines of its {name}:\n{lines}" for name, lines in said.items()]
    arguments = step.get("Config", {}).get("Args", ())
    applications = APPLICATION.findall(said["stderr"]) if runs_driver_in_container(arguments) else []
    if applications:
        shown += waiting.driver_lines(f"{logs}/containers/application_{applications[-1]}", applications[-1])
    return "\n".join(shown)


class _Waiting:
    """Waits for logs, until a deadline by ``time.monotonic()``."""

    def __init__(self, deadline: float, hook: Mapping[str, Any]) -> None:
        self._deadline = deadline
        self._hook = hook

    def driver_lines(self, folder: str, application: str) -> Iterator[str]:
        """Yield the end of a driver's output. The driver is in the last attempt's first container."""
        name = re.compile(rf"container_(?:e\d+_)?{application}_(\d+)_0*1")

        def find() -> str | None:
            found = (name.fullmatch(container) for container in list_folders(folder, self._hook))
            drivers = {int(one[1]): one[0] for one in found if one}
            return drivers[max(drivers)] if drivers else None

        container = self._wait_for(find)
        if container is None:
            yield f"(no log of the driver yet in {folder}/: look again in a few minutes)"
            return
        for output, lines in self.last_lines(f"{folder}/{container}").items():
            yield f"The last lines of the driver's {output}:\n{lines}"

    def last_lines(self, folder: str) -> dict[str, str]:
        return {name: self._last_lines_of(f"{folder}/{name}") for name in OUTPUTS}

    def _last_lines_of(self, uri: str) -> str:
        text = self._wait_for(lambda: read_end(uri, self._hook))
        if text is None:
            return f"(no log yet at {uri}.gz: look again in a few minutes)"
        return "\n".join(text.splitlines()[-SHOWN_LINES:]) or f"(nothing in {uri}.gz)"

    def _wait_for(self, look: Callable[[], T | None]) -> T | None:
        while (found := look()) is None and time.monotonic() < self._deadline:
            time.sleep(min(5.0, max(0.1, self._deadline - time.monotonic())))
        return found
