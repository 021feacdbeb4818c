"""The template as moto deploys it: resources that exist, and the resolved properties of every one."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
from cfnlint.decode.cfn_yaml import loads
from moto import mock_aws
from moto.cloudformation import parsing
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import get_model_list, get_model_map, get_name_type_map
from moto.core.common_models import CloudFormationModel

from orchard.settings.settings import Settings
from tests.support.checkout import ROOT

TEMPLATE = ROOT / "infra" / "orchard.yaml"
WATCH = ROOT / "infra" / "watch.yaml"
MANAGED_AIRFLOW = ROOT / "infra" / "managed_airflow.yaml"
ACCOUNT = "123456789012"
REGION = "eu-west-3"
LAKE = f"orchard-{ACCOUNT}-{REGION}"

GIVEN = {
    "VpcId": "vpc-0a1b2c3d",
    "SubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
    "ImagesBucket": "photographs",
    "ImagesPrefix": "fruit/2026",
    "AirflowRole": "airflow",
    "KmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f1e2d3c-aaaa-bbbb-cccc-0123456789ab",
    "TlsCertificates": "s3://secrets/emr/certificates.zip",
    "Retention": "yes",
    "AlarmEmail": "nobody@example.org",
    "NotificationTopic": "yes",
    "ImagesQueue": "yes",
    "GlueDatabase": "yes",
    "DataEvents": "yes",
}
"""Every optional thing."""

INSTEAD = {"ManagedAirflow": "my-airflow"}
"""What is given instead of an AirflowRole."""

NOT_IN_MOTO = (
    "AWS::Budgets::Budget",
    "AWS::Glue::Database",
    "AWS::IAM::RolePolicy",
    "AWS::MWAA::Environment",
    "AWS::Route53Resolver::FirewallDomainList",
    "AWS::Route53Resolver::FirewallRuleGroup",
    "AWS::Route53Resolver::FirewallRuleGroupAssociation",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SQS::QueuePolicy",
)
"""Types that moto's CloudFormation passes over. Here they get a name, so that others may refer to them;
what they say is checked by cfn-lint and, as far as it is a policy, by the evaluator in ``iam.py``."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    Args:
        resources: Logical id to what the template says of the resource, with everything resolved; only of
            those that were made.
        names: Logical id to physical id.
        outputs: Output key to value.
        environ: The outputs that are variables of Airflow.
    """

    resources: dict[str, dict[str, Any]]
    names: dict[str, str]
    outputs: dict[str, str]
    environ: dict[str, str]

    def properties(self, logical_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.resources[logical_id]["Properties"]
        return found

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: r["Properties"] for name, r in self.resources.items() if r["Type"] == kind}


@contextmanager
def account() -> Iterator[None]:
    """An account in which nothing is, but the role that Airflow runs as."""
    with mock_aws():
        boto3.client("iam", REGION).create_role(RoleName="airflow", AssumeRolePolicyDocument="{}")
        yield


@cache
def template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the template with its short forms (``!Ref``) in full."""
    found: dict[str, Any] = json.loads(json.dumps(loads(path.read_text())))
    return found


def deploy(path: Path = TEMPLATE, /, **parameters: str) -> Stack:
    """Create the stack with boto3, inside ``mock_aws``."""
    client = boto3.client("cloudformation", REGION)
    created = client.create_stack(
        StackName=path.stem.replace("_", "-"),
        TemplateBody=path.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (described,) = client.describe_stacks(StackName=created["StackId"])["Stacks"]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    environ = {
        output["Description"]: output["OutputValue"]
        for output in described["Outputs"]
        if output["Description"].startswith("ORCHARD_")
    }
    made = cloudformation_backends[ACCOUNT][REGION].stacks[created["StackId"]].resource_map
    resources = {
        name: parsing.clean_json(deepcopy(resource), made)
        for name, resource in template(path)["Resources"].items()
        if "Condition" not in resource or made.lazy_condition_map[resource["Condition"]]
    }
    names = {name: getattr(made[name], "physical_resource_id", "") for name in resources}
    return Stack(resources, names, outputs, environ)


def settings_of(stack: Stack, **environ: str) -> Settings:
    model = f"{stack.environ['ORCHARD_LAKE']}/models/4b8fe23a20cd"
    return Settings.from_env({**stack.environ, "ORCHARD_MODEL": model, **environ})


def _named_only(kind: str) -> type[CloudFormationModel]:
    class NamedOnly(CloudFormationModel):
        def __init__(self, name: str) -> None:
            self.physical_resource_id = name

        def get_cfn_attribute(self, attribute: str) -> str:
            return f"{self.physical_resource_id}.{attribute}"

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @classmethod
        def create_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> "NamedOnly":
            return cls(resource_name)

        @classmethod
        def delete_from_cloudformation_json(cls, *_: Any, **__: Any) -> None:
            """There is nothing to delete."""

    return NamedOnly


_NAMED = [_named_only(kind) for kind in NOT_IN_MOTO]  # held: moto finds them by their base class
for forget in (get_model_list, get_model_map, get_name_type_map):
    forget.cache_clear()


def _with_cidr(clean: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Add Fn::Cidr to the functions that moto resolves. It resolves what is in them by the same name."""

    def clean_json(part: Any, resources: Any) -> Any:
        if not (isinstance(part, dict) and "Fn::Cidr" in part):
            return clean(part, resources)
        block, count, bits = clean_json(part["Fn::Cidr"], resources)
        blocks = ip_network(block).subnets(new_prefix=32 - int(bits))
        return [str(one) for one in islice(blocks, int(count))]

    return clean_json


parsing.clean_json = _with_cidr(parsing.clean_json)
