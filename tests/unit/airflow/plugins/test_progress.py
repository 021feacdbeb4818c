"""How far a job is, in the log of its task: by numbers alone, and never at the cost of the task."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from orchard_airflow.progress import describe_progress, describe_result, format_seconds, read_metrics
from tests.support.airflow.hostile_nodes import VALUES

HOOK = {"aws_conn_id": None, "region_name": "us-east-1"}
RUNNING = {"state": "running", "done": 320, "total": 647, "images_per_second": 75.3}
NAMES = (
    "state",
    "done",
    "total",
    "images_per_second",
    "seconds",
    "rows",
    "k",
    "variance_kept",
    "counts",
    "phases",
)


def read(uri: str) -> dict[str, Any]:
    return asyncio.run(read_metrics(uri, HOOK))


def test_counts_rate_and_time_left_are_told() -> None:
    assert describe_progress(RUNNING) == "320 of 647 images, 75.3 images/s, 4.3 s left"
    assert describe_progress({**RUNNING, "done": 647}) == "647 of 647 images, 75.3 images/s"


@pytest.mark.parametrize("metrics", [{}, {"state": "running"}, {**RUNNING, "state": "succeeded"}])
def test_where_a_job_does_not_say_nothing_is_told(metrics: dict[str, Any]) -> None:
    assert describe_progress(metrics) is None


def test_what_a_job_has_done_is_one_line() -> None:
    featurize = {
        **RUNNING,
        "state": "succeeded",
        "seconds": 75.04,
        "counts": {"ok": 640, "corrupt": 7, "empty": 0},
    }
    assert describe_result(featurize) == "1 min 15 s, 647 images, 75.3 images/s, ok 640 · corrupt 7"
    reduce = {"state": "succeeded", "seconds": 5.92, "rows": 10332, "k": 15, "variance_kept": 0.5681}
    assert describe_result({**reduce, "phases": {"fit": 0.31}}) == (
        "5.9 s, 10,332 rows, 15 components with 56.8% of the variance, fit 0.31 s"
    )
    assert describe_result(RUNNING) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.62, "8.6 s"), (12.4, "12 s"), (260, "4 min 20 s"), (7500, "2 h 5 min")]
)
def test_seconds_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@given(
    metrics=st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES),
    state=st.sampled_from(["running", "succeeded"]),
)
def test_whatever_a_node_says_the_log_gets_one_printable_line_or_none(
    metrics: dict[str, Any], state: str
) -> None:
    for line in (
        describe_progress({**metrics, "state": state}),
        describe_result({**metrics, "state": state}),
    ):
        assert line is None or (line.isprintable() and len(line) < 1000)


def test_metrics_are_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(RUNNING))
    assert read(f"file://{tmp_path}/a.json") == RUNNING


def test_metrics_are_read_from_s3(monkeypatch: pytest.MonkeyPatch, airflow_db: None) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://{}:{}".format(*server.get_host_and_port()))
        client = boto3.client("s3", "us-east-1")
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="runs/a.json", Body=json.dumps(RUNNING).encode())
        assert read("s3://lake/runs/a.json") == RUNNING
        assert read("s3://lake/runs/b.json") == {}
    finally:
        server.stop()


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff", b'{"state": '])
def test_what_is_no_json_object_is_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read(f"file://{tmp_path}/a.json") == {}


def test_neither_a_link_nor_a_pipe_is_read_nor_all_of_a_huge_file(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text(json.dumps(RUNNING))
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "huge.json").write_text(json.dumps(RUNNING))
    os.truncate(tmp_path / "huge.json", 2**40)
    for name in ("link", "pipe", "huge", "missing"):
        assert read(f"file://{tmp_path}/{name}.json") == {}, name
