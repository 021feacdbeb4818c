"""A local EMR, and a boto3 client for it. EMR's timeouts are 60 times shorter: a minute takes a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_emr.faults import FaultPlan
from local_emr.server import EmrServer
from local_emr.settings import Settings
from tests.support.local_emr_client import (
    ENDED,
    a_cluster,
    make_client,
    node_python,
    state_of,
    wait_for_cluster,
)


@pytest.fixture(scope="module")
def aws_environment() -> Iterator[None]:
    """Set fake credentials, and remove the machine's own AWS settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(scope="module")
def local_emr_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        node_python=node_python(),
        work_dir=tmp_path_factory.mktemp("emr"),
        cores=1,
        stop_grace_seconds=1.0,
        speedup=60.0,
        page_size=3,
    )


@pytest.fixture(scope="module")
def work_dir(local_emr_settings: Settings) -> Path:
    return local_emr_settings.work_dir


@pytest.fixture(scope="module")
def server(aws_environment: None, local_emr: EmrServer) -> EmrServer:
    return local_emr


@pytest.fixture
def emr(server: EmrServer, local_emr_faults: FaultPlan) -> Any:
    """A boto3 client without parameter validation and retries, so that refusals come from the server."""
    return make_client(server.endpoint)


@pytest.fixture
def run(emr: Any) -> Iterator[Callable[..., str]]:
    """Start a cluster that ends with the test."""
    started: list[str] = []

    def run_job_flow(**changes: Any) -> str:
        cluster_id: str = emr.run_job_flow(**a_cluster(**changes))["JobFlowId"]
        started.append(cluster_id)
        return cluster_id

    yield run_job_flow
    for cluster_id in started:
        if state_of(emr, cluster_id) not in (*ENDED, "TERMINATING"):
            emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
        emr.terminate_job_flows(JobFlowIds=[cluster_id])
    for cluster_id in started:
        wait_for_cluster(emr, cluster_id, *ENDED)
