"""A local EMR for tests: `pytest_plugins = ["local_emr.pytest_plugin"]` in the topmost conftest.py.

Each test module that uses it gets its own server, on a free port on loopback. After the module's last test,
its clusters end with all of their processes.

    def test_a_step_runs(local_emr_client_settings):
        emr = boto3.client("emr", **local_emr_client_settings)

For a longer scope, use `EmrServer` in a `with` block, or `running_emr`, which starts a process.
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
    """The server's settings; override this fixture in your conftest.py to change them.

    The node's Python is the one that runs the tests. With pyspark installed, spark-submit steps work.
    """
    return Settings(node_python=Path(sys.executable), work_dir=tmp_path_factory.mktemp("local_emr"))


@pytest.fixture(scope="module")
def local_emr(local_emr_settings: Settings) -> Iterator[EmrServer]:
    """The server. `url` is its endpoint; nodes get the AWS_ variables of the test process."""
    with EmrServer(local_emr_settings) as server:
        yield server


@pytest.fixture(scope="module")
def local_emr_client_settings(local_emr: EmrServer) -> dict[str, str]:
    """Arguments of `boto3.client("emr", …)`; the credentials are valid for this server only."""
    return local_emr.endpoint.client_settings()


@pytest.fixture
def local_emr_faults(local_emr: EmrServer) -> Iterator[FaultPlan]:
    """Faults for one test: `local_emr_faults.add(Fault(kind="throttle", times=2))`."""
    yield local_emr.faults
    local_emr.faults.clear()
