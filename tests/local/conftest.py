"""A local EMR, and boto3 to drive it. Its own timeouts pass 60 times faster, so that a minute is a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.emr.server import EmrServer
from local.emr.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
Json = dict[str, Any]


def node_python() -> Path:
    return Path(os.environ.get("ORCHARD_NODE_PYTHON", ROOT / ".venv-node" / "bin" / "python")).absolute()


@pytest.fixture(scope="session", autouse=True)
def aws_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(scope="session")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emr")


@pytest.fixture(scope="session")
def server(work_dir: Path, aws_environment: None) -> Iterator[EmrServer]:
    settings = Settings(
        node_python=node_python(),
        work_dir=work_dir,
        cores=1,
        stop_grace_seconds=1.0,
        speedup=60.0,
        page_size=3,
    )
    server = EmrServer(settings)
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def no_faults_left(server: EmrServer) -> Iterator[None]:
    yield
    server.faults.clear()


def make_client(url: str, **config: Any) -> Any:
    config = {"retries": {"total_max_attempts": 1}, "parameter_validation": False, **config}
    return boto3.client("emr", endpoint_url=url, config=Config(**config))


@pytest.fixture(scope="session")
def emr(server: EmrServer) -> Any:
    """boto3 that neither checks its parameters nor tries twice: what is refused is refused by the server."""
    return make_client(server.url)


def bash_step(script: str, *args: str, name: str = "step", on_failure: str = "CONTINUE") -> Json:
    return {
        "Name": name,
        "ActionOnFailure": on_failure,
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["bash", "-c", script, *args]},
    }


def a_cluster(**changes: Any) -> Json:
    """A RunJobFlow that AWS would accept; `Instances` is merged, the rest replaced."""
    instances = {
        "InstanceFleets": [
            {
                "Name": "primary",
                "InstanceFleetType": "MASTER",
                "TargetOnDemandCapacity": 1,
                "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
            },
            {
                "Name": "task",
                "InstanceFleetType": "TASK",
                "TargetSpotCapacity": 4,
                "InstanceTypeConfigs": [{"InstanceType": "m6i.xlarge", "WeightedCapacity": 2}],
                "LaunchSpecifications": {
                    "SpotSpecification": {
                        "TimeoutDurationMinutes": 5,
                        "TimeoutAction": "SWITCH_TO_ON_DEMAND",
                        "AllocationStrategy": "price-capacity-optimized",
                    }
                },
            },
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
        **changes.pop("Instances", {}),
    }
    return {
        "Name": "orchard",
        "ReleaseLabel": "emr-spark-8.1.0",
        "Applications": [{"Name": "Spark"}],
        "ServiceRole": "OrchardEmrService",
        "JobFlowRole": "OrchardEmrNode",
        "Instances": instances,
        **changes,
    }


@pytest.fixture
def run(emr: Any) -> Iterator[Callable[..., str]]:
    """Start a cluster; it ends with the test."""
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
        wait_for(emr, cluster_id, *ENDED)


def describe(emr: Any, cluster_id: str) -> Json:
    cluster: Json = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    return cluster


def state_of(emr: Any, cluster_id: str) -> str:
    return str(describe(emr, cluster_id)["Status"]["State"])


def wait_for(emr: Any, cluster_id: str, *states: str) -> Json:
    """The cluster's status when it has come to one of the states."""

    def status() -> Json | None:
        now: Json = describe(emr, cluster_id)["Status"]
        if now["State"] in ENDED and now["State"] not in states:
            raise AssertionError(f"{cluster_id} ended: {now}")
        return now if now["State"] in states else None

    return eventually(status, f"{cluster_id} to be {states}")


def step_status(emr: Any, cluster_id: str, step_id: str) -> Json:
    status: Json = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]
    return status


def wait_for_step(emr: Any, cluster_id: str, step_id: str, *states: str) -> Json:
    """The step's status when it has come to one of the states."""

    def status() -> Json | None:
        now = step_status(emr, cluster_id, step_id)
        if now["State"] in ("COMPLETED", "FAILED", "CANCELLED") and now["State"] not in states:
            raise AssertionError(f"{step_id} ended: {now}")
        return now if now["State"] in states else None

    return eventually(status, f"{step_id} to be {states}")


def step_states(emr: Any, cluster_id: str) -> dict[str, str]:
    """Name to state, oldest first."""
    pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    steps = [step for page in pages for step in page["Steps"]]
    return {step["Name"]: step["Status"]["State"] for step in reversed(steps)}


def eventually[T](probe: Callable[[], T | None], what: str, seconds: float = 60.0) -> T:
    """The first result that is not None or False."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)
