"""The stack of infra/orchard.yaml: its outputs name the bucket and Airflow's variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from orchard_jobs.errors import OrchardError

VARIABLE = "ORCHARD_"
"""Prefix of an output's description, which is then the name of the variable that the output sets."""

LAKE = "ORCHARD_LAKE"


@dataclass(frozen=True)
class LakeStack:
    """The outputs of a stack.

    Args:
        variables: Airflow's environment variables.
    """

    name: str
    variables: Mapping[str, str]

    @property
    def bucket(self) -> str:
        return self.variables[LAKE].removeprefix("s3://")


def read_stack(client: Any, name: str) -> LakeStack:
    """Read the outputs of a stack through a CloudFormation client.

    Raises:
        OrchardError: if there is none with this name in the region, or it has another template.
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
            rule="it has no output for the lake",
            remedy="Name the stack of infra/orchard.yaml, once it is complete: --stack=NAME",
        )
    return LakeStack(name, variables)
