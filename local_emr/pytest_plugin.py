"""A local EMR for tests: `pytest_plugins = ["local_emr.pytest_plugin"]` in the topmost conftest.py.

Each module of tests that asks for it gets a server of its own, on a free port of loopback. After the module's
last test its clusters end, with all of their processes.

    def test_a_step_runs(local_emr_client_settings):
        emr = boto3.client("emr", **local_emr_client_settings)

A fixture that lives longer takes `EmrServer` in a `with`, or `running_emr`, which starts a process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr.faults import FaultPlan
from local_emr.server import EmrServer
from local_emr.settings import Settings


@pytest.fixture(scope="module")
def local_emr_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """How the server is set up; override it in your conftest.py to change that.

    The node's Python is the one that runs the tests: with pyspark in it, spark-submit steps run.
    """
    return Settings(node_python=Path(sys.executable), work_dir=tmp_path_factory.mktemp("local_emr"))


@pytest.fixture(scope="module")
def local_emr(local_emr_settings: Settings) -> Iterator[EmrServer]:
    """The server. `url` is its endpoint; a node has the AWS_ variables that the test process has."""
    with EmrServer(local_emr_settings) as server:
        yield server


@pytest.fixture(scope="module")
def local_emr_client_settings(local_emr: EmrServer) -> dict[str, str]:
    """Arguments of `boto3.client("emr", …)`; the credentials are the server's, and open nothing else."""
    return local_emr.endpoint.client_settings()


@pytest.fixture
def local_emr_faults(local_emr: EmrServer) -> Iterator[FaultPlan]:
    """Faults that strike within one test: `local_emr_faults.add(Fault(kind="throttle", times=2))`."""
    yield local_emr.faults
    local_emr.faults.clear()
