"""Requests that the local EMR refuses, by botocore's service model or by EMR's documentation."""

from __future__ import annotations

import asyncio
import copy
import http.client
import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from local_emr.server import EmrServer
from local_emr.service_model import load_service_model
from tests.support.local_emr_client import Json, a_cluster, bash_step, wait_for_cluster

Run = Callable[..., str]


def post(server: EmrServer, body: bytes, target: str | None = None, **headers: str) -> tuple[int, Json]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    if target is not None:
        headers["X-Amz-Target"] = target
    connection.request(
        "POST", "/", body, server.endpoint.access_key.sign("POST", f"{server.url}/", headers, body)
    )
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_serialization_error(server: EmrServer, body: bytes) -> None:
    status, answer = post(server, body, "ElasticMapReduce.ListClusters")
    assert (status, answer["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize("target", [None, "", "ListClusters", "ElasticMapReduce.Nonsense", "S3.ListClusters"])
def test_a_target_that_names_no_action_is_an_unknown_operation(server: EmrServer, target: str | None) -> None:
    status, answer = post(server, b"{}", target)
    assert (status, answer["__type"]) == (400, "UnknownOperationException")


def test_an_action_that_only_aws_has_is_an_unknown_operation(emr: Any) -> None:
    with pytest.raises(ClientError) as refused:
        emr.list_studios()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


def test_a_null_member_counts_as_absent(server: EmrServer) -> None:
    status, answer = post(server, b'{"Marker": null, "ClusterStates": null}', "ElasticMapReduce.ListClusters")
    assert (status, answer) == (200, {"Clusters": []})


def test_an_oversize_body_is_refused_unread(server: EmrServer) -> None:
    headers = {"Content-Length": str(1 << 40), "X-Amz-Target": "ElasticMapReduce.ListClusters"}
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=30) as connection:
        lines = ["POST / HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"RequestEntityTooLargeException" in answer


def test_a_request_under_a_foreign_name_is_refused(server: EmrServer) -> None:
    """A web page must not start programs here by pointing its own host name at 127.0.0.1."""
    status, answer = post(server, b"{}", "ElasticMapReduce.ListClusters", Host="evil.example:80")
    assert (status, answer["__type"]) == (400, "AccessDeniedException")


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("describe_cluster", {}),
        ("list_steps", {}),
        ("describe_step", {"StepId": "s-1"}),
        ("cancel_steps", {"StepIds": ["s-1"]}),
        ("modify_cluster", {"StepConcurrencyLevel": 1}),
        ("list_instances", {}),
        ("list_instance_fleets", {}),
        ("list_instance_groups", {}),
        ("list_bootstrap_actions", {}),
        ("get_auto_termination_policy", {}),
    ],
)
def test_an_unknown_cluster_is_an_invalid_request(emr: Any, action: str, parameters: Json) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(emr, action)(ClusterId="j-NEVER", **parameters)
    assert refused.value.response["Error"] == {
        "Code": "InvalidRequestException",
        "Message": "Cluster id 'j-NEVER' is not valid.",
    }


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("add_job_flow_steps", {"JobFlowId": "j-NEVER", "Steps": [bash_step(":")]}),
        ("terminate_job_flows", {"JobFlowIds": ["j-NEVER"]}),
        ("set_termination_protection", {"JobFlowIds": ["j-NEVER"], "TerminationProtected": True}),
    ],
)
def test_an_unknown_job_flow_is_a_validation_error(emr: Any, action: str, parameters: Json) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(emr, action)(**parameters)
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "Specified job flow ID does not exist.",
    }


def test_an_unknown_step_is_an_invalid_request(emr: Any, run: Run) -> None:
    with pytest.raises(ClientError) as refused:
        emr.describe_step(ClusterId=run(), StepId="s-NEVER")
    assert refused.value.response["Error"] == {
        "Code": "InvalidRequestException",
        "Message": "Step id 's-NEVER' is not valid.",
    }


def _set(path: str, value: Any) -> Callable[[Json], None]:
    """Set the value at a dotted path; numbers are indexes. The value `...` removes the member."""

    def change(request: Json) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place: Any = request
        for part in parents:
            place = place[part]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return change


MASTER, TASK = "Instances.InstanceFleets.0", "Instances.InstanceFleets.1"
SPOT = f"{TASK}.LaunchSpecifications.SpotSpecification"
TYPES = f"{TASK}.InstanceTypeConfigs"
REFUSED = [
    (_set("Name", ...), 'Missing required parameter in input: "Name"'),
    (_set("Name", "x" * 257), "Member must have length less than or equal to 256"),
    (_set("Name", "bell \x07"), "Member must satisfy regular expression pattern"),
    (_set("Name", 7), "Invalid type for parameter Name"),
    (_set("StepConcurrencyLevel", True), "Member must be a number"),
    (_set("StepConcurrencyLevel", 257), "StepConcurrencyLevel is 257"),
    (_set(f"{MASTER}.InstanceFleetType", "LEADER"), "enum value set: [MASTER, CORE, TASK]"),
    (_set(f"{MASTER}.TargetOnDemandCapacity", -1), "valid min value: 0"),
    (_set(f"{MASTER}.TargetOnDemandCapacity", 2), "two must be 1 and the other 0"),
    (_set(f"{MASTER}.InstanceFleetType", "CORE"), "A cluster has one MASTER"),
    (_set(f"{MASTER}.InstanceTypeConfigs.0.WeightedCapacity", 2), "it must be 1 in a master instance fleet"),
    (_set(f"{TASK}.TargetSpotCapacity", 0), "The TASK instance fleet has no target capacity"),
    (_set(TYPES, [{"InstanceType": f"m{n}.xlarge"} for n in range(31)]), "has 31 instance types"),
    (
        _set(f"{TYPES}.0", {"InstanceType": "m5.xlarge", "WeightedCapacity": 0}),
        "it must be 1 in a master instance fleet and at least 1",
    ),
    (_set(f"{SPOT}.TimeoutDurationMinutes", 4), "it must be between 5 and 1440"),
    (_set(f"{SPOT}.TimeoutAction", ...), "Missing required parameter in"),
    (_set(f"{SPOT}.AllocationStrategy", "cheapest"), "Member must satisfy enum value set"),
    (_set("Instances.InstanceFleets", []), "Instances has no instances"),
    (_set("Instances.MasterInstanceType", "m5.xlarge"), "has InstanceFleets and MasterInstanceType"),
    (_set("ReleaseLabel", ...), "The supplied release label is invalid"),
    (_set("ReleaseLabel", "emr-latest"), "The supplied release label is invalid: 'emr-latest'"),
    (_set("Applications", [{"Name": "Hadoop"}]), "'Hadoop' is not part of release emr-spark-8.1.0"),
    (_set("ReleaseLabel", "emr-7.99.0"), "The supplied release label is invalid: 'emr-7.99.0'"),
    (_set("ReleaseLabel", "emr-7.9.1"), "The supplied release label is invalid: 'emr-7.9.1'"),
    (_set("Applications", [{"Name": "Sprak"}]), "'Sprak' is not part of release emr-spark-8.1.0"),
    (_set(f"{TYPES}.0.InstanceType", "m5.hugelarge"), "Instance type 'm5.hugelarge' is not supported."),
    (_set(f"{TYPES}.0.InstanceType", "r7g.large"), "Instance type 'r7g.large' is not supported."),
    (_set("SecurityConfiguration", "none"), "Security configuration with name 'none' does not exist."),
    (_set("ServiceRole", ...), "ServiceRole is required for creating cluster."),
    (_set("JobFlowRole", ...), "InstanceProfile is required for creating cluster."),
    (_set("LogUri", "/var/log"), "LogUri is '/var/log'"),
    (_set("AutoTerminationPolicy", {"IdleTimeout": 59}), "it must be between 60 and 604800 seconds"),
    (_set("AutoTerminationPolicy", {"IdleTimeout": 604_801}), "it must be between 60 and 604800 seconds"),
    (_set("Tags", [{"Key": "aws:x"}]), "the prefix aws: is reserved"),
    (_set("Tags", [{"Key": "a"}, {"Key": "a"}]), "Tag 'a' is given twice"),
    (_set("Tags", [{"Key": str(n)} for n in range(51)]), "51 tags: a resource has at most 50"),
    (_set("Steps", [bash_step(":")] * 101), "101 steps in one request"),
    (_set("Steps", [bash_step("x" * 10_240)]), "at most 10240 are allowed"),
    (_set("Steps", [bash_step(":", on_failure="RETRY")]), "Member must satisfy enum value set"),
    (_set("BootstrapActions", [{"Name": "x"}]), "Missing required parameter in BootstrapActions[0]"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_cluster_that_emr_would_refuse_is_refused(
    emr: Any, change: Callable[[Json], None], message: str
) -> None:
    request = copy.deepcopy(a_cluster())
    change(request)
    clusters = len(emr.list_clusters()["Clusters"])
    with pytest.raises(ClientError) as refused:
        emr.run_job_flow(**request)
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert message in error["Message"]
    assert len(emr.list_clusters()["Clusters"]) == clusters


def test_a_parameter_that_emr_does_not_know_is_refused(server: EmrServer) -> None:
    """Sent as raw JSON, because boto3 would refuse to send it."""
    body = json.dumps({**a_cluster(), "Nmae": "x"}).encode()
    status, answer = post(server, body, "ElasticMapReduce.RunJobFlow")
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert 'Unknown parameter in input: "Nmae"' in answer["message"]


def test_the_request_that_the_refused_ones_were_made_from_is_accepted(emr: Any, run: Run) -> None:
    assert wait_for_cluster(emr, run(), "WAITING")


@pytest.mark.parametrize("timeout", [None, 0, 59, 604_801])
def test_an_idle_timeout_outside_its_limits_is_refused(emr: Any, run: Run, timeout: int | None) -> None:
    policy = {} if timeout is None else {"IdleTimeout": timeout}
    with pytest.raises(ClientError, match="it must be between 60 and 604800 seconds"):
        emr.put_auto_termination_policy(ClusterId=run(), AutoTerminationPolicy=policy)


def test_characters_beyond_the_basic_plane_are_allowed_in_names(emr: Any, run: Run) -> None:
    cluster_id = run(Name="🍎 orchard")
    assert emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Name"] == "🍎 orchard"


def test_concurrent_requests_are_all_answered(emr: Any, run: Run) -> None:
    cluster_id = run(Steps=[bash_step("sleep 300")])

    def tag(number: int) -> int:
        emr.add_tags(ResourceId=cluster_id, Tags=[{"Key": str(number), "Value": "x"}])
        return len(emr.list_steps(ClusterId=cluster_id)["Steps"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(tag, range(50))) == [1] * 50
    tags = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Tags"]
    assert sorted(int(tag["Key"]) for tag in tags) == list(range(50))


def test_aiobotocore_drives_it_too(server: EmrServer, run: Run) -> None:
    from aiobotocore.session import get_session

    cluster_id = run()

    async def wait_and_describe() -> str:
        async with get_session().create_client("emr", **server.endpoint.client_settings()) as client:
            await client.get_waiter("cluster_running").wait(ClusterId=cluster_id, WaiterConfig={"Delay": 1})
            answer = await client.describe_cluster(ClusterId=cluster_id)
            return str(answer["Cluster"]["Status"]["State"])

    assert asyncio.run(wait_and_describe()) == "WAITING"


def test_the_service_model_is_the_one_that_boto3_speaks() -> None:
    assert load_service_model().metadata["targetPrefix"] == "ElasticMapReduce"
    assert load_service_model().metadata["jsonVersion"] == "1.1"
