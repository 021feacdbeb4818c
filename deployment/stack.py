"""The stack of infra/orchard.yaml: its outputs tell the bucket, and the variables that Airflow needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from orchard_jobs.errors import OrchardError

VARIABLE = "ORCHARD_"
"""Begins the description of an output that is the value of a variable, which is then all of it."""

LAKE = "ORCHARD_LAKE"


@dataclass(frozen=True)
class LakeStack:
    """What a stack says.

    Args:
        variables: Name to value, of Airflow's environment.
    """

    name: str
    variables: Mapping[str, str]

    @property
    def bucket(self) -> str:
        return self.variables[LAKE].removeprefix("s3://")


def read_stack(client: Any, name: str) -> LakeStack:
    """Return what a stack says, through a client of CloudFormation.

    Raises:
        OrchardError: if there is none of this name here, or it is of another template.
    """
    where = client.meta.region_name
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise OrchardError(
            f"the stack {name}",
            rule=f"there is none in {where}: {error.response['Error']['Message']}",
            remedy="Deploy infra/orchard.yaml first, or correct --stack or --region",
        ) from None
    outputs = found.get("Outputs", ())
    variables = {
        output["Description"]: output["OutputValue"]
        for output in outputs
        if output.get("Description", "").startswith(VARIABLE)
    }
    if LAKE not in variables:
        raise OrchardError(
            f"the stack {name} is {found['StackStatus']}",
            rule="none of its outputs is the lake",
            remedy="Name the stack of infra/orchard.yaml, once it is complete: --stack=NAME",
        )
    return LakeStack(name, variables)
