"""Uses a local EMR through boto3: sends requests that AWS would accept, and waits for states."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local_emr.authentication import Endpoint
from tests.support.checkout import ROOT
from tests.support.polling import wait_for

ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
Json = dict[str, Any]


def node_python() -> Path:
    return Path(os.environ.get("ORCHARD_NODE_PYTHON", ROOT / ".venv-node" / "bin" / "python")).absolute()


def point_to(endpoint: Endpoint, patch: pytest.MonkeyPatch) -> None:
    """Point AWS clients of this process and its children to a local EMR."""
    for name, value in endpoint.variables().items():
        patch.setenv(name, value)
    patch.setattr(boto3, "DEFAULT_SESSION", None)  # it caches the credentials that it has found


def control(endpoint: Endpoint, method: str, path: str, body: Json | None = None) -> Json:
    """Send a request to a path below ``/_control``."""
    url, data = f"{endpoint.url}/_control/{path}", b"" if body is None else json.dumps(body).encode()
    headers = endpoint.access_key.sign(method, url, {"Content-Type": "application/json"}, data)
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: Json = json.load(response)
        return answer


def make_client(endpoint: Endpoint, **config: Any) -> Any:
    config = {"retries": {"total_max_attempts": 1}, "parameter_validation": False, **config}
    return boto3.client("emr", **endpoint.client_settings(), config=Config(**config))


def bash_step(script: str, *args: str, name: str = "step", on_failure: str = "CONTINUE") -> Json:
    return {
        "Name": name,
        "ActionOnFailure": on_failure,
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["bash", "-c", script, *args]},
    }


def add_step(emr: Any, cluster_id: str, step: Json) -> str:
    step_ids: list[str] = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])["StepIds"]
    return step_ids[0]


def a_cluster(**changes: Any) -> Json:
    """Build a RunJobFlow that AWS would accept; `Instances` is merged, other members are replaced."""
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


def describe(emr: Any, cluster_id: str) -> Json:
    cluster: Json = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    return cluster


def state_of(emr: Any, cluster_id: str) -> str:
    return str(describe(emr, cluster_id)["Status"]["State"])


def wait_for_cluster(emr: Any, cluster_id: str, *states: str) -> Json:
    """Wait until the cluster is in one of the states; return its status."""

    def status() -> Json | None:
        now: Json = describe(emr, cluster_id)["Status"]
        if now["State"] in ENDED and now["State"] not in states:
            raise AssertionError(f"{cluster_id} ended: {now}")
        return now if now["State"] in states else None

    return wait_for(status, f"{cluster_id} to be {states}")


def step_status(emr: Any, cluster_id: str, step_id: str) -> Json:
    status: Json = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]
    return status


def wait_for_step(emr: Any, cluster_id: str, step_id: str, *states: str) -> Json:
    """Wait until the step is in one of the states; return its status."""

    def status() -> Json | None:
        now = step_status(emr, cluster_id, step_id)
        if now["State"] in ("COMPLETED", "FAILED", "CANCELLED") and now["State"] not in states:
            raise AssertionError(f"{step_id} ended: {now}")
        return now if now["State"] in states else None

    return wait_for(status, f"{step_id} to be {states}")


def step_states(emr: Any, cluster_id: str) -> dict[str, str]:
    """Return states by name, oldest first."""
    pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    steps = [step for page in pages for step in page["Steps"]]
    return {step["Name"]: step["Status"]["State"] for step in reversed(steps)}
