"""The network of the nodes: subnets and their zones, the VPC, security groups, routes to S3."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from orchard.emr.job_flow import EMR_TAG
from orchard.settings.cluster import Fleet
from readiness.finding import Finding, failed, passed, skipped
from readiness.planned_cluster import PlannedCluster, fleet_types
from readiness.refusals import code_of, is_denied
from readiness.roles import MISSING, name_of

TAGGED_ROLE_POLICY = "AmazonEMRServicePolicy_v2"
"""With this policy the service role can only use resources that have the tag."""


class TagRule(Enum):
    """Whether the network needs EMR's tag."""

    NEEDED = "needed"
    FREE = "free"
    UNKNOWN = "unknown"
    """The caller cannot read the policies of the service role."""


TAG_FOUND = {
    TagRule.NEEDED: "it has EMR's tag",
    TagRule.FREE: "the service role needs no tag on it",
    TagRule.UNKNOWN: "it has EMR's tag",
}
"""Texts for resources that pass."""


def find_tag_rule(iam: Any, service_role: str) -> TagRule:
    """Derive the rule from the policies of the service role. ``roles`` reports a missing role."""
    try:
        pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name_of(service_role))
        names = {policy["PolicyName"] for page in pages for policy in page["AttachedPolicies"]}
    except ClientError as error:
        if is_denied(error):
            return TagRule.UNKNOWN
        if code_of(error) not in MISSING:
            raise
        return TagRule.NEEDED  # as for the role of infra/orchard.yaml
    return TagRule.NEEDED if TAGGED_ROLE_POLICY in names else TagRule.FREE


def find_subnets(ec2: Any, configured: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the configured subnets, or those of the default VPC if none are configured."""
    # A filter, because SubnetIds would fail as a whole for one unknown id.
    name, values = ("subnet-id", configured) if configured else ("default-for-az", ("true",))
    return _describe(ec2, "describe_subnets", "Subnets", {name: values})


def check_subnets(
    subnets: list[dict[str, Any]], fleet: Fleet, planned: PlannedCluster, rule: TagRule
) -> Iterator[Finding]:
    """Check every subnet, because EMR may choose any of them."""
    found = {subnet["SubnetId"] for subnet in subnets}
    for missing in (name for name in fleet.subnets if name not in found):
        remedy = "correct ORCHARD_SUBNETS: the stack's output Subnets has them"
        yield failed(f"subnet {missing}", "there is none in this region and account", remedy)
    if not fleet.subnets and not subnets:
        remedy = "set ORCHARD_SUBNETS, or deploy infra/orchard.yaml, which creates a network"
        yield failed("subnets", "none are set, and there is no default VPC", remedy)
    for subnet in subnets:
        yield from check_tag(f"subnet {subnet['SubnetId']}", subnet["SubnetId"], subnet.get("Tags", ()), rule)
        yield check_addresses(subnet, planned)


def check_addresses(subnet: dict[str, Any], planned: PlannedCluster) -> Finding:
    """Check that there is a free address for every node."""
    check, free = f"subnet {subnet['SubnetId']}", subnet["AvailableIpAddressCount"]
    if free >= planned.nodes:
        return passed(check, f"in {subnet['AvailabilityZone']}, with {free} free addresses")
    found = f"{free} free addresses, but {planned.describe()} need {planned.nodes}"
    return failed(check, found, "free some addresses, or name a larger subnet in ORCHARD_SUBNETS")


def check_zones(ec2: Any, subnets: list[dict[str, Any]], fleet: Fleet) -> Iterator[Finding]:
    for zone in dict.fromkeys(subnet["AvailabilityZone"] for subnet in subnets):
        yield check_zone(ec2, zone, fleet)


def check_zone(ec2: Any, zone: str, fleet: Fleet) -> Finding:
    """Check that a zone offers at least one instance type of each fleet."""
    check, configured = f"zone {zone}", fleet_types(fleet)
    every = dict.fromkeys(name for names in configured.values() for name in names)
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone",
        Filters=[
            {"Name": "location", "Values": [zone]},
            {"Name": "instance-type", "Values": list(every)},
        ],
    )
    offered = {item["InstanceType"] for page in pages for item in page["InstanceTypeOfferings"]}
    without = [kind for kind, names in configured.items() if not offered & {*names}]
    if without:
        variables = ", ".join(f"ORCHARD_{kind.upper()}_TYPES" for kind in without)
        found = f"it offers no type of the {', '.join(without)} fleet"
        return failed(check, found, f"name types that it offers in {variables}, or subnets in another zone")
    missing = [name for name in every if name not in offered]
    return passed(check, "it offers " + (f"all but {', '.join(missing)}" if missing else ", ".join(every)))


def check_vpcs(ec2: Any, subnets: list[dict[str, Any]], rule: TagRule) -> Iterator[Finding]:
    """Check the VPC, which also needs the tag: EMR creates endpoints and default security groups in it."""
    ids = {subnet["VpcId"] for subnet in subnets}
    if len(ids) > 1:
        remedy = "name subnets of one VPC in ORCHARD_SUBNETS"
        yield failed("VPC", f"the subnets are in several VPCs: {', '.join(sorted(ids))}", remedy)
    for vpc in _describe(ec2, "describe_vpcs", "Vpcs", {"vpc-id": sorted(ids)}) if ids else ():
        check = f"VPC {vpc['VpcId']}"
        problems = list(check_tag(check, vpc["VpcId"], vpc.get("Tags", ()), rule))
        yield from problems or [passed(check, TAG_FOUND[rule])]


def check_security_groups(
    ec2: Any, groups: tuple[str, ...], subnets: list[dict[str, Any]], rule: TagRule
) -> Iterator[Finding]:
    """Check the configured security groups. If none are configured, EMR creates its own."""
    if not groups:
        return
    vpcs = {subnet["VpcId"] for subnet in subnets}
    found = _describe(ec2, "describe_security_groups", "SecurityGroups", {"group-id": groups})
    by_id = {group["GroupId"]: group for group in found}
    for name in groups:
        check, group = f"security group {name}", by_id.get(name)
        if group is None:
            remedy = "correct ORCHARD_SECURITY_GROUPS: the stack's output SecurityGroups has them"
            yield failed(check, "there is none in this region and account", remedy)
        elif vpcs and group["VpcId"] not in vpcs:
            found_in = f"it is in {group['VpcId']}, but the subnets are in {', '.join(sorted(vpcs))}"
            yield failed(check, found_in, "name groups of the subnets' VPC in ORCHARD_SECURITY_GROUPS")
        else:
            problems = list(check_tag(check, name, group.get("Tags", ()), rule))
            yield from problems or [passed(check, f"in {group['VpcId']}; {TAG_FOUND[rule]}")]


def check_tag(check: str, name: str, tags: Iterable[dict[str, str]], rule: TagRule) -> Iterator[Finding]:
    """Yield a finding if a resource lacks the tag that it needs, or may need."""
    if rule is TagRule.FREE or {"Key": EMR_TAG, "Value": "true"} in tags:
        return
    if rule is TagRule.UNKNOWN:
        found = f"it lacks the tag {EMR_TAG}=true; it is unknown whether the service role needs it"
        yield skipped(check, found, "allow iam:ListAttachedRolePolicies, or set the tag")
        return
    found = f"it lacks the tag {EMR_TAG}=true, without which EMR's service role may not use it"
    yield failed(check, found, f"aws ec2 create-tags --resources {name} --tags Key={EMR_TAG},Value=true")


def check_route(ec2: Any, subnet: dict[str, Any], region: str) -> Finding:
    """Check that nodes can reach S3, through an endpoint of the VPC or through the internet."""
    check = f"route to S3 from {subnet['SubnetId']}"
    table = _find_route_table(ec2, subnet)
    through = _list_endpoints(ec2, subnet["VpcId"], region, table.get("RouteTableId", ""))
    if through:
        return passed(check, f"through the endpoint {', '.join(through)}")
    default = [route for route in table.get("Routes", ()) if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    if any(route.get("State") == "active" for route in default):
        return passed(check, "through the internet; a gateway endpoint for S3 would be free")
    problem = "its default route is a blackhole" if default else "it has no default route"
    service = f"com.amazonaws.{region}.s3"
    remedy = (
        f"aws ec2 create-vpc-endpoint --vpc-id {subnet['VpcId']} --service-name {service} "
        f"--route-table-ids {table.get('RouteTableId', '<its route table>')}"
    )
    return failed(check, f"{problem}, and there is no endpoint for S3", remedy)


def _find_route_table(ec2: Any, subnet: dict[str, Any]) -> dict[str, Any]:
    """Return the route table of a subnet, by default the VPC's main one; {} if there is none."""
    own = {"association.subnet-id": [subnet["SubnetId"]]}
    main = {"vpc-id": [subnet["VpcId"]], "association.main": ["true"]}
    tables = (_describe(ec2, "describe_route_tables", "RouteTables", filters) for filters in (own, main))
    return next((found[0] for found in tables if found), {})


def _list_endpoints(ec2: Any, vpc: str, region: str, table: str) -> list[str]:
    """Return the endpoints through which a route table reaches S3."""
    endpoints = _describe(ec2, "describe_vpc_endpoints", "VpcEndpoints", {"vpc-id": [vpc]})
    return [
        endpoint["VpcEndpointId"]
        for endpoint in endpoints
        if endpoint["ServiceName"].endswith(f".{region}.s3")
        and endpoint.get("State", "available").lower() == "available"
        and (
            table in endpoint.get("RouteTableIds", ())
            if endpoint.get("VpcEndpointType", "Gateway") == "Gateway"
            else endpoint.get("PrivateDnsEnabled", False)
        )
    ]


def _describe(
    ec2: Any, operation: str, key: str, filters: Mapping[str, Iterable[str]]
) -> list[dict[str, Any]]:
    request = [{"Name": name, "Values": list(values)} for name, values in filters.items()]
    pages = ec2.get_paginator(operation).paginate(Filters=request)
    return [item for page in pages for item in page[key]]
