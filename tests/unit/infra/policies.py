"""Who may do what in a stack: the statements of each role, and AWS's list of actions."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.settings.settings import Settings
from tests.unit.infra.iam import Statement, as_list
from tests.unit.infra.stack import ACCOUNT, LAKE, REGION, Stack

BUCKET = f"arn:aws:s3:::{LAKE}"
CLUSTER = f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/j-1"
STRANGER = "999999999999"
"""Another account."""


def airflow(stack: Stack) -> list[Statement]:
    """What the stack lets Airflow do."""
    policies = stack.of_type("AWS::IAM::ManagedPolicy").values()
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]


def node(stack: Stack) -> list[Statement]:
    """What the jobs may do."""
    return _of_role(stack, "NodeRole")


def service(stack: Stack) -> list[Statement]:
    """What EMR may do: by the template, and by AWS's own policies, of which moto has a copy."""
    arns = stack.properties("ServiceRole")["ManagedPolicyArns"]
    documents = [json.loads(aws_managed_policies_data)[arn.rpartition("/")[2]]["Document"] for arn in arns]
    return [*_of_role(stack, "ServiceRole"), *(one for found in documents for one in found["Statement"])]


def trust(stack: Stack, role: str) -> list[Statement]:
    """Who may be that role; a trust policy names no resource."""
    statements = stack.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    return [{**one, "Resource": "*"} for one in statements]


def allowed_actions(statements: list[Statement]) -> set[str]:
    return {action for one in statements if one["Effect"] == "Allow" for action in as_list(one["Action"])}


def role_arn(stack: Stack, role: str) -> str:
    """Return the ARN of the role of this logical id."""
    return f"arn:aws:iam::{ACCOUNT}:role/{stack.names[role]}"


def arn_of(uri: str) -> str:
    """Return the ARN of an object in S3."""
    return uri.replace("s3://", "arn:aws:s3:::")


def tags_asked_for(settings: Settings) -> dict[str, str]:
    """Return the tags of the cluster that Orchard asks for."""
    request = run_job_flow(run_tags("orchard_features", "manual__2026", settings), 2, settings)
    return {tag["Key"]: tag["Value"] for tag in request["Tags"]}


def request_tags(tags: dict[str, str]) -> dict[str, Any]:
    """Return the condition keys of a request that gives these tags."""
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{name}": value for name, value in tags.items()}}


def resource_tags(tags: dict[str, str]) -> dict[str, Any]:
    """Return the condition keys of a request for what has these tags."""
    return {f"aws:ResourceTag/{name}": value for name, value in tags.items()}


def actions_of(service_name: str) -> list[str]:
    """Return all actions of a service, as ``s3:getobject``."""
    return [f"{service_name}:{name}" for name in _known()[service_name]["Actions"]]


def resources_of(action: str) -> list[str]:
    """Return the kinds of resource that an action can be limited to; none for what takes ``*`` only."""
    service_name, _, name = action.partition(":")
    found: list[str] = _known()[service_name]["Actions"][name.lower()].get("Resources", [])
    return found


@cache
def _known() -> dict[str, Any]:
    """AWS's service authorization reference, as cfn-lint has it."""
    text = files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def _of_role(stack: Stack, role: str) -> list[Statement]:
    attached = stack.of_type("AWS::IAM::RolePolicy").values()
    policies = [policy for policy in attached if policy["RoleName"] == stack.names[role]]
    policies += stack.properties(role)["Policies"]
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]
