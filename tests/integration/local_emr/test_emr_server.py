"""The server process: how it starts, and that it leaves nothing behind, however it stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_emr.authentication import CREDENTIALS, AccessKey, Endpoint
from local_emr.launcher import EmrDidNotStartError, running_emr
from tests.support.checkout import ROOT
from tests.support.local_emr_client import a_cluster, bash_step, make_client, node_python
from tests.support.polling import wait_for

OPTIONS = ["--stop-grace-seconds", "1"]


def start_stubborn_step(endpoint: Endpoint, folder: Path, apart: bool = False) -> psutil.Process:
    """A step that ignores SIGTERM on a protected cluster; with `apart`, in its own session."""
    (folder / "pid").unlink(missing_ok=True)
    script = (
        f"trap '' TERM; echo $$ > {folder}/part && mv {folder}/part {folder}/pid; while :; do sleep 1; done"
    )
    step = bash_step('setsid bash -c "$0" & wait', script) if apart else bash_step(script)
    request = a_cluster(Steps=[step], Instances={"TerminationProtected": True})
    make_client(endpoint).run_job_flow(**request)
    wait_for((folder / "pid").exists, "the step to be up")
    return psutil.Process(int((folder / "pid").read_text()))


def guard_of(server: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the guard, which ends processes if the server is killed."""
    children = psutil.Process(server.pid).children()
    return next(child for child in children if "local_emr.execution.guard" in child.cmdline())


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def serve(
    tmp_path: Path, aws_environment: None
) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Endpoint]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> tuple[subprocess.Popen[bytes], Endpoint]:
        ready = tmp_path / "ready"
        ready.unlink(missing_ok=True)
        server = [
            *("-m", "local_emr", "--node-python", str(node_python()), "--work-dir", str(tmp_path / "work"))
        ]
        arguments = [sys.executable, *command, *server, *OPTIONS, "--ready-file", str(ready)]
        process = subprocess.Popen(arguments, cwd=ROOT)
        started.append(process)
        wait_for(ready.exists, "the server to listen")
        key = AccessKey.read(tmp_path / "work" / CREDENTIALS)
        return process, Endpoint(ready.read_text(), key)

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_launcher_leaves_nothing_behind(tmp_path: Path, aws_environment: None) -> None:
    with running_emr(node_python(), tmp_path / "work", options=OPTIONS) as endpoint:
        step = start_stubborn_step(endpoint, tmp_path)
        assert step.is_running()
    assert is_gone(step)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["lock"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_its_clusters_and_their_processes(
    serve: Any, tmp_path: Path, number: int
) -> None:
    server, endpoint = serve()
    step = start_stubborn_step(endpoint, tmp_path)
    server.send_signal(number)
    assert server.wait(30) == 0
    assert is_gone(step)


def test_the_server_goes_when_its_parent_is_killed(serve: Any, tmp_path: Path) -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:], '--exit-with-parent'])"
    parent, endpoint = serve("-c", script)
    server = psutil.Process(parent.pid).children()[0]
    step = start_stubborn_step(endpoint, tmp_path)
    parent.kill()
    parent.wait()
    wait_for(lambda: is_gone(server), "the server to go")
    assert is_gone(step)


def test_the_processes_and_files_of_a_server_that_is_killed_outright_go_with_it(
    serve: Any, tmp_path: Path
) -> None:
    """Including processes that a step has started in their own session, which its signals do not reach."""
    server, endpoint = serve()
    steps = [start_stubborn_step(endpoint, tmp_path, apart=apart) for apart in (False, True)]
    clusters = list((tmp_path / "work").glob("j-*"))
    assert len(clusters) == 2
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    wait_for(lambda: all(map(is_gone, steps)), "the steps to go")
    wait_for(lambda: not any(cluster.exists() for cluster in clusters), "the folders to go")


def test_a_guard_goes_with_its_server(serve: Any, tmp_path: Path) -> None:
    server, endpoint = serve()
    start_stubborn_step(endpoint, tmp_path)
    guard = guard_of(server)
    server.terminate()
    assert server.wait(30) == 0
    assert is_gone(guard)


def test_a_server_that_was_killed_with_its_guard_is_cleaned_up_after_by_the_next(
    serve: Any, tmp_path: Path
) -> None:
    server, endpoint = serve()
    step = start_stubborn_step(endpoint, tmp_path)
    guard = guard_of(server)
    for process in (guard, server):
        os.kill(process.pid, signal.SIGKILL)
    server.wait()
    wait_for(lambda: is_gone(guard), "the guard to go")
    assert step.is_running()
    serve()
    assert is_gone(step)
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [CREDENTIALS, "lock"]


def test_two_servers_do_not_share_a_folder(serve: Any, tmp_path: Path) -> None:
    serve()
    log = tmp_path / "log"
    with pytest.raises(EmrDidNotStartError), running_emr(node_python(), tmp_path / "work", log_file=log):
        pass
    assert "is in use by another local EMR: give another --work-dir" in log.read_text()


def test_a_taken_port_is_one_clear_line(serve: Any, tmp_path: Path) -> None:
    _, endpoint = serve()
    port = int(endpoint.url.rpartition(":")[2])
    log = tmp_path / "log"
    with (
        pytest.raises(EmrDidNotStartError),
        running_emr(node_python(), tmp_path / "w2", port=port, log_file=log),
    ):
        pass
    assert (
        log.read_text() == f"local EMR: cannot listen on port {port} of 127.0.0.1: Address already in use\n"
    )


def test_a_clusters_spark_properties_count_before_the_nodes_own(
    tmp_path: Path, aws_environment: None
) -> None:
    own = tmp_path / "own.conf"
    own.write_text("spark.own 1\nspark.both node")
    asked = {"Classification": "spark-defaults", "Properties": {"spark.both": "cluster"}}
    options = [*OPTIONS, "--spark-defaults", str(own)]
    with running_emr(node_python(), tmp_path / "work", options=options) as endpoint:
        copy = 'cp "$SPARK_CONF_DIR/spark-defaults.conf" "$0.part" && mv "$0.part" "$0"'
        step = bash_step(copy, str(tmp_path / "seen"))
        make_client(endpoint).run_job_flow(**a_cluster(Steps=[step], Configurations=[asked]))
        wait_for((tmp_path / "seen").exists, "the step to run")
    lines = (tmp_path / "seen").read_text().splitlines()
    assert lines[:3] == ["spark.own 1", "spark.both node", "spark.both cluster"]


def test_spark_defaults_that_are_not_there_are_one_clear_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    options = ["--spark-defaults", str(tmp_path / "absent")]
    with (
        pytest.raises(EmrDidNotStartError),
        running_emr(node_python(), tmp_path / "work", log_file=log, options=options),
    ):
        pass
    assert log.read_text() == f"local EMR: spark_defaults is {tmp_path / 'absent'}: no such file\n"


def test_it_answers_to_a_name_that_it_was_given_and_to_no_other(
    tmp_path: Path, aws_environment: None
) -> None:
    """In a container network, clients use the service's name."""
    options = [*OPTIONS, "--answer-to", "emr"]
    with running_emr(node_python(), tmp_path / "work", options=options) as endpoint:

        def ask(host: str) -> int:
            request = urllib.request.Request(f"{endpoint.url}/_health", headers={"Host": host})
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)

        assert (ask("emr:8998"), ask("127.0.0.1:8998")) == (200, 200)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask("evil:8998")
