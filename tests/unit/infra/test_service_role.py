"""What EMR itself may and may not do; with AWS's policy, as moto has it."""

import pytest

from orchard.settings.settings import Settings
from tests.unit.infra.iam import NO_KEYS, is_allowed
from tests.unit.infra.policies import (
    CLUSTER,
    STRANGER,
    airflow,
    node,
    request_tags,
    resource_tags,
    role_arn,
    service,
    tags_asked_for,
    trust,
)
from tests.unit.infra.stack import ACCOUNT, GIVEN, REGION, Stack


def test_emr_takes_it_for_clusters_of_this_account_and_region_only(plain: Stack) -> None:
    statements = trust(plain, "ServiceRole")
    assert [one["Principal"] for one in statements] == [{"Service": "elasticmapreduce.amazonaws.com"}]
    ours = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": CLUSTER}
    assert is_allowed(statements, "sts:AssumeRole", "role", ours)
    for wrong in (
        NO_KEYS,
        {**ours, "aws:SourceAccount": STRANGER},
        {**ours, "aws:SourceArn": CLUSTER.replace(ACCOUNT, STRANGER)},
        {**ours, "aws:SourceArn": CLUSTER.replace(REGION, "us-east-1")},
    ):
        assert not is_allowed(statements, "sts:AssumeRole", "role", wrong)


def test_it_gives_the_node_role_to_ec2_and_no_other_role_to_anybody(plain: Stack) -> None:
    to_ec2, to_lambda = ({"iam:PassedToService": f"{name}.amazonaws.com"} for name in ("ec2", "lambda"))
    nodes = role_arn(plain, "NodeRole")
    assert is_allowed(service(plain), "iam:PassRole", nodes, to_ec2)
    assert not is_allowed(service(plain), "iam:PassRole", nodes, to_lambda)
    for role in (role_arn(plain, "ServiceRole"), f"arn:aws:iam::{ACCOUNT}:role/admin"):
        assert not is_allowed(service(plain), "iam:PassRole", role, to_ec2)


@pytest.mark.parametrize(
    ("name", "kind", "action"),
    [
        ("Subnet", "subnet", "ec2:RunInstances"),
        ("Subnet", "subnet", "ec2:CreateVpcEndpoint"),
        ("Vpc", "vpc", "ec2:CreateSecurityGroup"),
        ("EmrEndpointGroup", "security-group", "ec2:AuthorizeSecurityGroupIngress"),
        ("EmrEndpoint", "vpc-endpoint", "ec2:ModifyVpcEndpoint"),
    ],
)
def test_it_works_in_the_network_that_is_made_here_and_in_no_untagged_one(
    name: str, kind: str, action: str, plain: Stack
) -> None:
    resource = f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/x"
    tags = {tag["Key"]: tag["Value"] for tag in plain.properties(name)["Tags"]}
    assert is_allowed(service(plain), action, resource, resource_tags(tags))
    assert not is_allowed(service(plain), action, resource)


def test_it_starts_instances_with_the_tags_of_our_clusters_only(plain: Stack, settings: Settings) -> None:
    instance = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"
    ours, others = request_tags(tags_asked_for(settings)), request_tags({"a": "b"})
    assert is_allowed(service(plain), "ec2:RunInstances", instance, ours)
    assert not is_allowed(service(plain), "ec2:RunInstances", instance, others)


def test_it_reads_nothing_in_s3(plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        assert not any("s3:" in str(statement["Action"]) for statement in service(stack))


def test_it_lets_ec2_use_the_key_and_nobody_else(given: Stack) -> None:
    key = GIVEN["KmsKeyArn"]
    for_aws, for_others = ({"kms:GrantIsForAWSResource": value} for value in ("true", "false"))
    assert is_allowed(service(given), "kms:CreateGrant", key, for_aws)
    assert not is_allowed(service(given), "kms:CreateGrant", key, for_others)
    assert not is_allowed(service(given), "kms:CreateGrant", f"{key}-2", for_aws)


@pytest.mark.parametrize("action", ["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "RevokeGrant"])
def test_no_role_manages_the_key(action: str, given: Stack) -> None:
    for role in (node(given), airflow(given), service(given)):
        assert not is_allowed(role, f"kms:{action}", GIVEN["KmsKeyArn"])
