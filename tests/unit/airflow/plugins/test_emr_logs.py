"""The end of a step's output is found where EMR puts it."""

import gzip
import tracemalloc
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from orchard_airflow.step_logs import last_lines


def show(log_uri: str | None, timeout: float = 0) -> str:
    return last_lines(log_uri, "j-1", {"Id": "s-1"}, timeout=timeout, hook={"aws_conn_id": None})


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


def write(uri_path: Path, **texts: str) -> None:
    uri_path.mkdir(parents=True)
    for name, text in texts.items():
        (uri_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))


SUBMITTED = "Submitted application application_1795357385121_0002\n"
FAILED = "Application application_1795357385121_0003 finished with failed status\n"


def show_of_container(log_uri: str) -> str:
    config = {"Args": ["spark-submit", "--deploy-mode", "cluster", "run.py"]}
    step = {"Id": "s-1", "Config": config}
    return last_lines(log_uri, "j-1", step, timeout=0, hook={"aws_conn_id": None})


def test_a_driver_in_a_container_has_the_last_word(tmp_path: Path) -> None:
    """That of the last attempt: YARN starts another where the node of the first was lost."""
    write(tmp_path / "j-1" / "steps" / "s-1", stderr=SUBMITTED + FAILED, stdout="")
    application = tmp_path / "j-1" / "containers" / "application_1795357385121_0003"
    container = "container_1795357385121_0003"
    write(application / f"{container}_09_000001", stderr="the first\n", stdout="not this\n")
    write(application / f"{container}_10_000001", stderr="INFO Spark\n", stdout="ValueError: why\n")
    write(application / f"{container}_10_000002", stderr="an executor\n", stdout="nor this\n")
    assert show_of_container(f"file://{tmp_path}").endswith(
        "The last lines of the driver's stderr:\nINFO Spark\n"
        "The last lines of the driver's stdout:\nValueError: why"
    )
    assert "the driver's" not in show(f"file://{tmp_path}"), "in client mode its output is the step's"


def test_a_driver_in_a_container_is_found_in_s3() -> None:
    logs = "a/j-1/containers/application_1795357385121_0003/container_e02_1795357385121_0003_01_000001"
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="orchard")
        for key, text in (("a/j-1/steps/s-1/stderr.gz", FAILED), (f"{logs}/stdout.gz", "last words\n")):
            client.put_object(Bucket="orchard", Key=key, Body=gzip.compress(text.encode()))
        assert show_of_container("s3n://orchard/a/").endswith("the driver's stdout:\nlast words")


def test_logs_of_a_container_that_do_not_come_are_named(tmp_path: Path) -> None:
    write(tmp_path / "j-1" / "steps" / "s-1", stderr=FAILED, stdout="")
    assert show_of_container(f"file://{tmp_path}").endswith(
        f"(no log of the driver yet in file://{tmp_path}/j-1/containers/application_1795357385121_0003/: "
        "look again in a few minutes)"
    )


def test_a_step_that_never_submitted_its_application_has_no_driver_to_look_for(tmp_path: Path) -> None:
    write(tmp_path / "j-1" / "steps" / "s-1", stderr="no such file: run.py\n", stdout="")
    assert "the driver" not in show_of_container(f"file://{tmp_path}")


def test_of_a_log_that_fills_the_disk_only_the_end_is_kept_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "j-1" / "steps" / "s-1"
    folder.mkdir(parents=True)
    with gzip.open(folder / "stdout.gz", "wb", compresslevel=1) as log:
        for _ in range(300):
            log.write(bytes(1 << 20))
        log.write(b"\nlast words\n")
    tracemalloc.start()
    shown = show(f"file://{tmp_path}")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shown.endswith("\nlast words")
    assert peak < 50 << 20
