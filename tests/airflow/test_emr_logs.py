"""The end of a step's output is found where EMR puts it."""

import gzip
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from orchard_emr_logs import last_lines


def show(log_uri: str | None, timeout: float = 0) -> str:
    return last_lines(log_uri, "j-1", "s-1", timeout=timeout, hook={"aws_conn_id": None})


@pytest.mark.parametrize("scheme", ["s3", "s3n"])
def test_a_log_in_s3_is_found_though_emr_calls_it_s3n(scheme: str) -> None:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="orchard")
        client.put_object(
            Bucket="orchard", Key="a/j-1/steps/s-1/stderr.gz", Body=gzip.compress(b"last words\n")
        )
        assert show(f"{scheme}://orchard/a/").startswith("The last lines of its stderr:\nlast words\n")


def test_a_log_that_is_cut_off_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "j-1" / "steps" / "s-1" / "stderr.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"last words\n" * 10)[:-8])
    assert "\n".join(["its stderr:", *["last words"] * 10, "The last"]) in show(f"file://{tmp_path}")


def test_what_python_said_is_shown_last(tmp_path: Path) -> None:
    folder = tmp_path / "j-1" / "steps" / "s-1"
    folder.mkdir(parents=True)
    (folder / "stderr.gz").write_bytes(gzip.compress(b"INFO Spark\n" * 100))
    (folder / "stdout.gz").write_bytes(gzip.compress(b"Traceback\nValueError: why\n"))
    assert show(f"file://{tmp_path}").endswith(
        "INFO Spark\nThe last lines of its stdout:\nTraceback\nValueError: why"
    )


def test_a_log_that_does_not_come_is_waited_for_and_then_named(tmp_path: Path) -> None:
    folder = f"file://{tmp_path}/j-1/steps/s-1"
    assert show(f"file://{tmp_path}", timeout=0.2) == "\n".join(
        f"The last lines of its {name}:\n(no log yet at {folder}/{name}.gz: look again in a few minutes)"
        for name in ("stderr", "stdout")
    )


def test_a_cluster_without_logs_says_so() -> None:
    assert show(None) == "(the cluster has no LogUri, so the step's output is lost)"
