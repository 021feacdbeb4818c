"""Spark's event logs of a real run, and the history server on them."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from orchard.lake.event_logs import event_log_folder, event_logs_of
from orchard.lake.storage_files import FileStorage
from tests.support.airflow.in_process import OUTSIDE
from tests.support.checkout import ROOT
from tests.support.orchard_command import run_orchard
from tests.support.polling import wait_for
from tests.support.ports import free_port

ORCHARD = ROOT / ".venv" / "bin" / "orchard"


def run_of(lake: Path) -> str:
    return str(json.loads((lake / "latest.json").read_text())["run"])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def history(lake: Path, port: int, tmp_path: Path) -> Iterator[psutil.Process]:
    """`orchard history`."""
    environment = {**OUTSIDE, "ORCHARD_STATE": str(tmp_path)}
    options = ["history", "--lake", str(lake), "--port", str(port)]
    with subprocess.Popen([ORCHARD, *options], env=environment) as process:
        yield psutil.Process(process.pid)
        process.terminate()


def applications(port: int) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/applications", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found
    except OSError:
        return []


def test_the_history_server_lists_the_application_of_a_run_and_listens_on_loopback_only(
    history: psutil.Process, lake: Path, port: int
) -> None:
    (found,) = wait_for(lambda: applications(port), "the application")
    assert found["name"] == f"orchard {run_of(lake)}"
    assert found["attempts"][0]["completed"]
    listening = {at.laddr.ip for at in history.net_connections("tcp") if at.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_event_logs_are_found_by_their_run_and_name_no_image(lake: Path) -> None:
    """Were it otherwise, erasing an image would have to rewrite them: see docs/how-to/erase-data.md."""
    found = event_logs_of(run_of(lake), f"file://{lake}/logs", FileStorage(Path("/")))
    assert len(found) == 1
    assert event_logs_of("another", f"file://{lake}/logs", FileStorage(Path("/"))) == []
    events = list((lake / "logs" / "spark-events").rglob("events_*"))
    assert len(events) == 1
    content = b"".join(pa.CompressedInputStream(str(path), "zstd").read() for path in events)
    assert run_of(lake).encode() in content
    images = [path.name for path in (lake.parent / "images").rglob("*.jpg")]
    assert len(images) > 10
    assert [name for name in images if name.encode() in content] == []


def test_a_folder_that_cannot_be_made_is_one_clear_line(
    lake: Path, untrained_model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "lake"
    (other / "logs").mkdir(parents=True)
    (other / "logs" / "spark-events").write_text("in the way")
    done = run_orchard(other, "run", str(lake.parent / "images"), "--model", f"file://{untrained_model}")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("orchard: ")]
    assert f"cannot write {event_log_folder(f'file://{other}/logs')} (" in line
    assert "ORCHARD_LOGS" in line
    assert not (other / "latest.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lake=nowhere"], "nowhere/logs/spark-events: the first run in a lake creates it"),
        (["--lake=s3://b/lake/"], "aws s3 sync s3://b/lake/logs/spark-events"),
        (["--port=http"], "'--port'"),
    ],
)
def test_what_there_is_no_history_of_is_one_clear_line_and_a_hint(options: list[str], said: str) -> None:
    done = subprocess.run([ORCHARD, "history", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 2
