"""What a canary deletes in a versioned bucket of moto, and what EC2 tells of the network."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from canary.clusters import Clusters
from canary.network import Network
from canary.plan import Plan
from canary.session import Session
from canary.traces import remove_traces
from orchard.settings.settings import Settings
from readiness.finding import Outcome

REGION = "eu-west-3"
NAME = "canary-20261127T105800-0a1b"
ENVIRON = {
    "ORCHARD_LAKE": "s3://lake",
    "ORCHARD_MODEL": "s3://lake/models/m",
    "ORCHARD_REGION": REGION,
    "ORCHARD_SUBNETS": "subnet-1",
}


class NoClusters:
    """EMR that was never asked for anything."""


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", REGION)
        place = {"LocationConstraint": REGION}
        client.create_bucket(Bucket="lake", CreateBucketConfiguration=place)
        client.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def session(s3: Any) -> Session:
    plan = Plan(NAME, Settings.from_env(ENVIRON), REGION, 60.0)
    return Session(plan, Clusters(NoClusters(), NoClusters(), 0.0), Network(REGION, (), ()), print)


def list_versions(s3: Any) -> list[str]:
    found = s3.list_object_versions(Bucket="lake")
    return sorted(one["Key"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, ()))


def test_its_objects_go_with_all_their_versions_and_nobody_elses(s3: Any, session: Session) -> None:
    for key in (f"runs/{NAME}/images/Apple/0.png", f"runs/{NAME}/latest.json", f"runs/{NAME}x/run.json"):
        for body in (b"old", b"new"):
            s3.put_object(Bucket="lake", Key=key, Body=body)
    s3.put_object(Bucket="lake", Key="latest.json", Body=b"{}")
    s3.delete_object(Bucket="lake", Key=f"runs/{NAME}/latest.json")
    clusters, objects = remove_traces(session)
    assert (clusters.outcome, objects.outcome) == (Outcome.PASS, Outcome.PASS)
    assert list_versions(s3) == ["latest.json", f"runs/{NAME}x/run.json", f"runs/{NAME}x/run.json"]


def test_without_the_permission_for_versions_what_is_current_goes_and_the_rest_is_told(
    s3: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from erasure.holdings import S3Holdings
    from orchard_jobs.errors import OrchardError

    def deny(*_: Any) -> None:
        raise OrchardError("cannot delete in s3://lake: AccessDenied", rule="r", remedy="m")

    monkeypatch.setattr(S3Holdings, "erase", deny)
    s3.put_object(Bucket="lake", Key=f"runs/{NAME}/latest.json", Body=b"{}")
    _, objects = remove_traces(session)
    assert objects.outcome is Outcome.SKIPPED
    assert (
        "only old versions are left in 1 folders: cannot delete in s3://lake: AccessDenied" in objects.found
    )
    assert "s3:DeleteObjectVersion" in objects.remedy
    assert s3.list_objects_v2(Bucket="lake")["KeyCount"] == 0


def test_an_error_of_the_clusters_does_not_keep_the_objects(s3: Any, session: Session) -> None:
    session.clusters.requested.append(session.plan.tags)  # EMR cannot be asked for it
    s3.put_object(Bucket="lake", Key=f"runs/{NAME}/latest.json", Body=b"{}")
    clusters, objects = remove_traces(session)
    assert (clusters.outcome, objects.outcome) == (Outcome.FAIL, Outcome.PASS)
    assert f"the tag orchard:run={NAME}" in clusters.remedy


@pytest.fixture
def network(s3: Any) -> Network:
    ec2 = boto3.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/25")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc)["GroupId"]
    return Network(REGION, (subnet,), (group, group))


def test_a_network_that_stays_as_it_is_has_no_changes(network: Network) -> None:
    assert network.look().describe_changes(network.look()) == ""


def test_an_endpoint_and_a_rule_that_were_added_are_named(network: Network) -> None:
    before, ec2 = network.look(), boto3.client("ec2", REGION)
    vpc = ec2.describe_subnets(SubnetIds=[*network.subnets])["Subnets"][0]["VpcId"]
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3")["VpcEndpoint"]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=network.groups[0], IpPermissions=[permission])
    added = network.look().describe_changes(before)
    assert f"endpoints {made['VpcEndpointId']}" in added
    assert "rules sgr-" in added
