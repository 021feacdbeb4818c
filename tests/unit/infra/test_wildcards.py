"""Nothing is allowed in general."""

import pytest

from tests.unit.infra.iam import Statement, as_list
from tests.unit.infra.policies import airflow, resources_of
from tests.unit.infra.stack import Stack

WITHOUT_RESOURCE = {
    "elasticmapreduce:RunJobFlow": "there is no cluster yet; the tags of the request limit it",
    "ec2:DescribeSpotPriceHistory": "AWS knows no resource for it; it tells prices",
    "elasticmapreduce:ListClusters": "AWS knows no resource for it; it tells names and states",
}
"""All that may be done with Resource "*", and why."""

AWS_POLICIES = {
    "arn:aws:iam::aws:policy/service-role/AmazonEMRServicePolicy_v2": "EMR's own, by tags; AWS keeps it",
}
"""All policies that are not in the template, and why."""


def statements_of(stack: Stack) -> list[tuple[str, Statement]]:
    """Return all that the template allows roles, with where it stands."""
    roles = stack.of_type("AWS::IAM::Role").items()
    policies = [
        *stack.of_type("AWS::IAM::ManagedPolicy").items(),
        *stack.of_type("AWS::IAM::RolePolicy").items(),
        *((name, policy) for name, role in roles for policy in role["Policies"]),
    ]
    return [(name, one) for name, policy in policies for one in policy["PolicyDocument"]["Statement"]]


def test_no_action_has_a_wildcard(plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        for name, statement in statements_of(stack):
            assert not [one for one in as_list(statement["Action"]) if "*" in one], name


def test_every_resource_is_named_but_for_a_closed_list(plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        unlimited = {
            action
            for _, statement in statements_of(stack)
            if "*" in as_list(statement["Resource"])
            for action in as_list(statement["Action"])
        }
        assert unlimited == set(WITHOUT_RESOURCE)


@pytest.mark.parametrize("action", WITHOUT_RESOURCE)
def test_what_is_called_without_a_resource_knows_none(action: str) -> None:
    assert resources_of(action) == []


def test_clusters_are_told_by_their_tags_because_their_ids_are_not_known_before(plain: Stack) -> None:
    for statement in airflow(plain):
        if "cluster/*" in str(statement["Resource"]):
            keys = {key for tests in statement["Condition"].values() for key in tests}
            assert keys & {"aws:ResourceTag/orchard:lake", "aws:RequestTag/orchard:lake"}, statement["Sid"]


def test_every_statement_has_a_name(plain: Stack, given: Stack) -> None:
    assert all(statement.get("Sid") for stack in (plain, given) for _, statement in statements_of(stack))


def test_what_aws_allows_besides_is_a_closed_list(plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        roles = stack.of_type("AWS::IAM::Role").values()
        assert {arn for role in roles for arn in role.get("ManagedPolicyArns", ())} == set(AWS_POLICIES)
