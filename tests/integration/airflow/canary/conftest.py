"""A lake, and a local EMR with a fake Spark whose faults a test chooses. Fixtures."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local_emr.authentication import Endpoint
from local_emr.launcher import running_emr
from orchard.settings.settings import Settings
from tests.support.airflow.dag_runs import prepare_lake
from tests.support.local_emr_client import point_to

StartEmr = Callable[..., Endpoint]


@pytest.fixture
def canary_environ(tmp_path: Path, node: Path, environ: dict[str, str]) -> dict[str, str]:
    """Settings for a lake that has code and a model."""
    prepare_lake(tmp_path, node)
    return {
        **environ,
        "ORCHARD_REGION": "eu-west-3",
        "ORCHARD_LOG_TIMEOUT": "3",
        "ORCHARD_NODE_ENV": str(node.parent),
    }


@pytest.fixture
def canary_settings(canary_environ: dict[str, str]) -> Settings:
    return Settings.from_env(canary_environ)


@pytest.fixture
def start_emr(node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartEmr]:
    """Start a local EMR with these options; AWS's clients find it. By default a minute takes a second."""
    with ExitStack() as stack:

        def start(*options: str) -> Endpoint:
            given = ("--stop-grace-seconds", "1", *(options or ("--speedup", "60")))
            work, log = tmp_path / "emr", tmp_path / "emr.log"
            endpoint = stack.enter_context(running_emr(node / "python", work, log_file=log, options=given))
            point_to(endpoint, monkeypatch)
            return endpoint

        yield start
