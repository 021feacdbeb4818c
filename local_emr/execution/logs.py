"""Logs as EMR lays them out under LogUri, each file gzipped. Written when the step or action ends.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-manage-view-web-log-files.html
"""

from __future__ import annotations

import gzip
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local_emr.execution.processes import Output
from local_emr.execution.storage import is_s3, place_in_folder, write_uri
from local_emr.settings import Settings

_LOGGER = logging.getLogger(__name__)
_ERROR_LINE = re.compile(
    r"^(?:Exception in thread .*|(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b(?::.*)?)$"
)


class LogFolder:
    """Logs of one step or bootstrap action: files while it runs, then `.gz` under LogUri.

    With `s3_logs`, logs for S3 are written to that folder, but clients still see their s3:// URI.
    """

    def __init__(self, folder: Path, uri: str | None, s3_logs: Path | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._s3_logs = s3_logs
        self.uri = uri
        self.output = Output(folder / "stdout", folder / "stderr")

    def note(self, line: str) -> None:
        """Append a line to the controller's log."""
        with (self._folder / "controller").open("a", encoding="utf-8") as controller:
            controller.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} INFO {line}\n")

    def push(self, *names: str) -> None:
        """Write the named files under LogUri. A step does not fail if that fails; EMR's do not either."""
        if self.uri is None:
            return
        for name in names:
            path = self._folder / name
            try:
                content = gzip.compress(path.read_bytes() if path.exists() else b"")
                write_uri(self._place(f"{self.uri}/{name}.gz"), content)
            except (OSError, BotoCoreError, ClientError) as error:
                _LOGGER.warning("could not write %s/%s.gz: %s", self.uri, name, error)

    def find_error(self) -> str | None:
        """Return the last line of stderr that names an error, or else its last line."""
        lines = self._tail("stderr")
        errors = [line for line in lines if _ERROR_LINE.match(line)]
        return next(iter([*reversed(errors), *reversed(lines)]), None)

    def file_uri(self, name: str) -> str | None:
        """Return the URI of a file after `push`."""
        return f"{self.uri}/{name}.gz" if self.uri else None

    def _place(self, uri: str) -> str:
        return place_in_folder(uri, self._s3_logs) if self._s3_logs and is_s3(uri) else uri

    def _tail(self, name: str, size: int = 65_536) -> list[str]:
        path = self._folder / name
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - size, 0))
            return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]


def push_container_logs(settings: Settings, log_uri: str | None, cluster_id: str) -> None:
    """Write the containers' logs under LogUri, as the log pusher of each EMR node does."""
    files = ("stderr", "stdout")
    for container in (
        found for folder in settings.container_logs for found in folder.glob("application_*/container_*")
    ):
        uri = f"{log_uri.rstrip('/')}/{cluster_id}/containers/{container.parent.name}" if log_uri else None
        LogFolder(container, f"{uri}/{container.name}" if uri else None, settings.s3_logs).push(*files)


def step_log_uri(log_uri: str | None, cluster_id: str, step_id: str) -> str | None:
    """Return the URI for a step's logs; None without a LogUri."""
    return f"{log_uri.rstrip('/')}/{cluster_id}/steps/{step_id}" if log_uri else None


def bootstrap_log_uri(log_uri: str | None, cluster_id: str, instance_id: str, number: int) -> str | None:
    """Return the URI for the logs of the `number`-th bootstrap action, counted from 1."""
    base = f"{log_uri.rstrip('/')}/{cluster_id}/node/{instance_id}" if log_uri else None
    return f"{base}/bootstrap-actions/{number}" if base else None
