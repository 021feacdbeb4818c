"""Detects whether EMR adds endpoints or security group rules to a given network."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3


@dataclass(frozen=True)
class NetworkState:
    """Endpoint ids of the subnets' VPCs, and rule ids of the security groups."""

    endpoints: frozenset[str]
    rules: frozenset[str]

    def describe_changes(self, since: "NetworkState") -> str:
        """Describe what was added since; '' if nothing was."""
        added = [
            f"{kind} {', '.join(sorted(now - then))}"
            for kind, now, then in (
                ("endpoints", self.endpoints, since.endpoints),
                ("rules", self.rules, since.rules),
            )
            if now - then
        ]
        return "; ".join(added)


@dataclass(frozen=True)
class Network:
    """The subnets and security groups of the settings, if any."""

    region: str | None
    subnets: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def is_given(self) -> bool:
        return bool(self.subnets and self.groups)

    @cached_property
    def _ec2(self) -> Any:
        return boto3.session.Session(region_name=self.region).client("ec2")

    def look(self) -> NetworkState:
        """Read the current state from EC2."""
        found = self._ec2.describe_subnets(SubnetIds=list(self.subnets))["Subnets"]
        vpcs = sorted({subnet["VpcId"] for subnet in found})
        by_vpc = [{"Name": "vpc-id", "Values": vpcs}]
        endpoints = self._ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=by_vpc)
        by_group = [{"Name": "group-id", "Values": sorted(set(self.groups))}]
        rules = self._ec2.get_paginator("describe_security_group_rules").paginate(Filters=by_group)
        return NetworkState(
            frozenset(one["VpcEndpointId"] for page in endpoints for one in page["VpcEndpoints"]),
            frozenset(one["SecurityGroupRuleId"] for page in rules for one in page["SecurityGroupRules"]),
        )
