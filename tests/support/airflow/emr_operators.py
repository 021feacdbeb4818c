"""EMR operators on a local EMR: fixtures that build them, and functions that inspect clusters."""

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError, ConnectionClosedError

from orchard.emr.job_flow import lake_clusters, run_job_flow, run_tags
from orchard.settings.settings import Settings
from orchard_airflow import emr_retries
from orchard_airflow.operators import create_cluster
from orchard_airflow.operators.create_cluster import OrchardCreateClusterOperator
from orchard_airflow.operators.step import OrchardStepOperator
from tests.support.polling import wait_for

make_client: Any = EmrHook.__dict__.get("conn", AwsGenericHook.__dict__["conn"]).func


class TaskInstance:
    """The context that operators need from Airflow."""

    def __init__(self, operator: Any, cleared_after: int) -> None:
        self.task = SimpleNamespace(retries=2)
        self.max_tries = cleared_after + 2
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def context_of(operator: Any, cleared_after: int = 0) -> Any:
    return {"ti": TaskInstance(operator, cleared_after)}


@pytest.fixture
def client(emr: str) -> Any:
    return boto3.client("emr")


@pytest.fixture
def tags(settings: Settings) -> dict[str, str]:
    return run_tags("orchard_features", "manual__1", settings)


@pytest.fixture
def request_of_cluster(tags: dict[str, str], settings: Settings) -> dict[str, Any]:
    return {**run_job_flow(tags, 1, settings), "BootstrapActions": []}


@pytest.fixture
def create(
    tags: dict[str, str], request_of_cluster: dict[str, Any], settings: Settings, client: Any
) -> Iterator[Callable[..., Any]]:
    def make(**changes: Any) -> OrchardCreateClusterOperator:
        arguments = {
            "task_id": "create_cluster",
            "job_flow_overrides": request_of_cluster,
            "run_tags": tags,
            "group": lake_clusters(settings),
            "start_timeout": 30,
            "poll_interval": 0.2,
            "aws_conn_id": None,
        }
        return OrchardCreateClusterOperator(**{**arguments, **changes})

    yield make
    for cluster_id in live(client):
        client.terminate_job_flows(JobFlowIds=[cluster_id])


@pytest.fixture
def cluster_id(create: Callable[..., Any]) -> str:
    operator = create()
    return str(operator.execute(context_of(operator)))


@pytest.fixture
def step(
    cluster_id: str, tags: dict[str, str], request_of_cluster: dict[str, Any]
) -> Callable[..., OrchardStepOperator]:
    def make(script: str, **changes: Any) -> OrchardStepOperator:
        jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", script]}
        arguments = {
            "task_id": "featurize",
            "job_flow_id": cluster_id,
            "cluster_identity": {"Name": request_of_cluster["Name"], **tags},
            "steps": [{"Name": "featurize r", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}],
            "step_timeout": 30,
            "max_cluster_hours": 12,
            "poll_interval": 0.2,
            "log_timeout": 5,
            "aws_conn_id": None,
        }
        return OrchardStepOperator(**{**arguments, **changes})

    return make


def live(client: Any) -> list[str]:
    states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    pages = client.get_paginator("list_clusters").paginate(ClusterStates=states)
    return [cluster["Id"] for page in pages for cluster in page["Clusters"]]


def steps_of(client: Any, cluster_id: str) -> list[tuple[str, str]]:
    """Return names and states of the steps, oldest first."""
    pages = client.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    steps = [step for page in pages for step in page["Steps"]]
    return [(step["Name"], step["Status"]["State"]) for step in reversed(steps)]


def wait_for_the_step_to_be_cancelled(client: Any, cluster_id: str) -> None:
    cancelled = [("featurize r #0", "CANCELLED")]
    wait_for(lambda: steps_of(client, cluster_id) == cancelled, "the step to be cancelled")


def deferred(operator: Any, context: Any) -> Any:
    with pytest.raises(TaskDeferred) as raised:
        operator.execute(context)
    return raised.value


def event_of(trigger: Any) -> Any:
    async def first() -> Any:
        return await anext(trigger.run())

    return asyncio.run(first()).payload


class Faulty:
    """A client whose requests can fail before or after they take effect (a lost response)."""

    def __init__(self, client: Any, faults: dict[str, list[Any]]) -> None:
        self._client = client
        # Attributes that the hook and the check for a local EMR read.
        self.meta = SimpleNamespace(client=client, endpoint_url=client.meta.endpoint_url)
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        request = getattr(self._client, name)
        if not self._faults.get(name):
            return request

        def strike(**arguments: Any) -> Any:
            fault = self._faults[name].pop(0) if self._faults[name] else None
            if isinstance(fault, BaseException):
                raise fault
            answer = request(**arguments)
            if fault is not None:
                fault()
            return answer

        return strike


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch, client: Any) -> dict[str, list[Any]]:
    """By request: errors to raise instead of it, or functions to call after it."""
    planned: dict[str, list[Any]] = {}
    monkeypatch.setattr(EmrHook, "conn", property(lambda hook: Faulty(make_client(hook), planned)))
    monkeypatch.setattr(emr_retries, "PAUSES", (0.1, 0.1, 0.1))
    monkeypatch.setattr(create_cluster, "SEARCH_PAUSES", (0.1, 0.1, 0.1))
    return planned


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Request"
    )


def lose_answer() -> None:
    raise ConnectionClosedError(endpoint_url="http://emr")
