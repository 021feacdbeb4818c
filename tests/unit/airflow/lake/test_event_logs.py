"""Which run an event log is of, whatever a node has written instead of one."""

from pathlib import Path

import pyarrow as pa
import pytest

from orchard.lake import event_logs
from orchard.lake.event_logs import event_logs_of
from orchard.lake.storage_files import FileStorage

START = b'{"Event":"SparkListenerApplicationStart","App Name":"orchard featurize r1"}\n'


def write_log(logs: Path, content: bytes) -> None:
    folder = logs / "spark-events" / "eventlog_v2_app-1"
    folder.mkdir(parents=True)
    with pa.output_stream(folder / "events_1_app-1.zstd", compression="zstd") as stream:
        stream.write(content)


def find(logs: Path) -> list[str]:
    found = event_logs_of("r1", f"file://{logs}", FileStorage(logs))
    return [folder.rpartition("/")[2] for folder in found]


def test_a_log_is_of_the_run_that_its_application_is_called_after(tmp_path: Path) -> None:
    write_log(tmp_path, b'{"Event":"SparkListenerLogStart"}\n' + START)
    assert find(tmp_path) == ["eventlog_v2_app-1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON\n",
        b'"SparkListenerApplicationStart"\n',
        b'{"Event":"SparkListenerApplicationStart"}\n',
        b"[" * 200_000 + b'"SparkListenerApplicationStart"\n',
        START.rstrip(b"\n"),
    ],
)
def test_what_is_no_log_is_nobodys(tmp_path: Path, content: bytes) -> None:
    write_log(tmp_path, content)
    assert find(tmp_path) == []


def test_of_a_log_that_unpacks_without_end_only_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_logs, "MOST_BYTES", 2**20)
    write_log(tmp_path, b"x" * 2**21 + b"\n" + START)
    assert find(tmp_path) == []
