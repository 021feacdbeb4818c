"""Injected faults: each kind as boto3 sees it, before and after the action takes effect."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local_emr.faults import Fault
from local_emr.server import EmrServer
from tests.support.local_emr_client import Json, a_cluster, control, make_client, state_of

Run = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("throttle", 400, "ThrottlingException"),
        ("access_denied", 400, "AccessDeniedException"),
        ("internal", 500, "InternalServerException"),
    ],
)
def test_a_fault_is_an_error_as_often_as_was_asked(
    emr: Any, server: EmrServer, kind: str, status: int, code: str
) -> None:
    control(server.endpoint, "POST", "faults", {"action": "ListClusters", "kind": kind, "times": 2})
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            emr.list_clusters()
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert emr.list_clusters()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_boto3_retries_throttling_by_itself(emr: Any, server: EmrServer) -> None:
    server.faults.add(Fault(kind="throttle", times=2))
    patient = make_client(server.endpoint, retries={"mode": "standard", "total_max_attempts": 3})
    assert patient.list_clusters()["ResponseMetadata"]["RetryAttempts"] == 2


def test_a_reset_connection_is_a_connection_error(emr: Any, server: EmrServer) -> None:
    server.faults.add(Fault(action="ListClusters", kind="reset", times=1))
    with pytest.raises(ConnectionClosedError):
        emr.list_clusters()
    assert emr.list_clusters()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_answer_that_does_not_come_is_a_timeout(emr: Any, server: EmrServer) -> None:
    server.faults.add(Fault(action="ListClusters", kind="timeout", seconds=3.0, times=1))
    with pytest.raises(ReadTimeoutError):
        make_client(server.endpoint, read_timeout=1).list_clusters()


def test_a_fault_after_the_action_leaves_it_done(emr: Any, server: EmrServer) -> None:
    """The response to RunJobFlow is lost, but the cluster lives. A creating client must survive that."""
    names = {"lost before", "lost after"}
    server.faults.add(Fault(action="RunJobFlow", kind="internal", when="before", times=1))
    server.faults.add(Fault(action="RunJobFlow", kind="reset", when="after", times=1))
    with pytest.raises(ClientError):
        emr.run_job_flow(**a_cluster(Name="lost before"))
    with pytest.raises(ConnectionClosedError):
        emr.run_job_flow(**a_cluster(Name="lost after"))
    clusters = [cluster for cluster in emr.list_clusters()["Clusters"] if cluster["Name"] in names]
    assert [cluster["Name"] for cluster in clusters] == ["lost after"]
    emr.terminate_job_flows(JobFlowIds=[clusters[0]["Id"]])


def test_faults_are_listed_and_cleared(emr: Any, server: EmrServer) -> None:
    control(server.endpoint, "POST", "faults", {"action": "RunJobFlow", "kind": "reset", "when": "after"})
    control(server.endpoint, "POST", "rate-limit", {"per_second": 5, "burst": 10})
    fault = {"action": "RunJobFlow", "kind": "reset", "when": "after", "times": None, "seconds": None}
    limit = {"per_second": 5, "burst": 10}
    assert control(server.endpoint, "GET", "faults") == {"faults": [fault], "rate_limit": limit}
    control(server.endpoint, "DELETE", "faults")
    assert control(server.endpoint, "GET", "faults") == {"faults": [], "rate_limit": None}


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "flood"},
        {"kind": "reset", "when": "during"},
        {"kind": "reset", "times": 0},
        {"kind": "timeout", "seconds": "soon"},
        {"kind": "timeout", "seconds": -1},
        {"kind": "reset", "action": "RunJobflow"},
        {"kind": "no_capacity", "colour": "red"},
    ],
    ids=str,
)
def test_a_fault_that_makes_no_sense_is_refused(emr: Any, server: EmrServer, fault: Json) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        control(server.endpoint, "POST", "faults", fault)
    assert refused.value.code == 400
    assert server.faults.describe() == {"faults": [], "rate_limit": None}


def test_requests_beyond_the_rate_limit_are_throttled(emr: Any, server: EmrServer) -> None:
    server.faults.limit_rate(per_second=0.01, burst=3)
    for _ in range(3):
        emr.list_clusters()
    with pytest.raises(ClientError, match="Rate exceeded") as refused:
        emr.list_clusters()
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"


def test_capacity_may_stay_away_for_as_long_as_is_asked(emr: Any, run: Run, server: EmrServer) -> None:
    server.faults.add(Fault(kind="no_capacity", seconds=300.0, times=1))
    cluster_id = run()
    assert state_of(emr, cluster_id) == "STARTING"
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
