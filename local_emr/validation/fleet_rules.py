"""Rules for the instances of a cluster.

https://docs.aws.amazon.com/emr/latest/APIReference/API_InstanceFleetConfig.html
https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-instance-fleet.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from local_emr.errors import ValidationError
from local_emr.service_model import Parameters
from local_emr.validation.instance_types import validate_instance_type


def validate_instances(instances: Parameters, added_types: Collection[str]) -> None:
    """Validate fleets, groups or the short form, exactly one of them. `added_types` are accepted too."""
    forms = [
        name for name in ("InstanceFleets", "InstanceGroups", "MasterInstanceType") if instances.get(name)
    ]
    if len(forms) != 1:
        raise ValidationError(
            f"Instances has {' and '.join(forms) or 'no instances'}: give exactly one of InstanceFleets, "
            "InstanceGroups, and MasterInstanceType with InstanceCount."
        )
    if "Ec2SubnetId" in instances and "Ec2SubnetIds" in instances:
        raise ValidationError("Specify either Ec2SubnetId or Ec2SubnetIds, not both.")
    if forms == ["InstanceFleets"]:
        _validate_fleets(instances["InstanceFleets"])
    elif forms == ["InstanceGroups"]:
        _validate_groups(instances["InstanceGroups"])
    elif instances.get("InstanceCount", 0) < 1:
        raise ValidationError("InstanceCount must be at least 1 with MasterInstanceType.")
    for name in _types(instances):
        validate_instance_type(name, added_types)


def _types(instances: Parameters) -> Iterator[str]:
    for fleet in instances.get("InstanceFleets", []):
        yield from (config["InstanceType"] for config in fleet["InstanceTypeConfigs"])
    yield from (group["InstanceType"] for group in instances.get("InstanceGroups", []))
    yield from (instances[name] for name in ("MasterInstanceType", "SlaveInstanceType") if name in instances)


def _validate_fleets(fleets: list[Parameters]) -> None:
    _validate_roles(Counter(fleet["InstanceFleetType"] for fleet in fleets), "instance fleet")
    for fleet in fleets:
        _validate_capacity(fleet)
        _validate_types(fleet)
        _validate_spot(fleet)


def _validate_capacity(fleet: Parameters) -> None:
    role = fleet["InstanceFleetType"]
    on_demand, spot = fleet.get("TargetOnDemandCapacity", 0), fleet.get("TargetSpotCapacity", 0)
    if role == "MASTER" and sorted((on_demand, spot)) != [0, 1]:
        raise ValidationError(
            f"The master instance fleet asks for {on_demand} On-Demand and {spot} Spot units: one of the "
            "two must be 1 and the other 0."
        )
    if on_demand + spot == 0:
        raise ValidationError(f"The {role} instance fleet has no target capacity.")


def _validate_types(fleet: Parameters) -> None:
    role, types = fleet["InstanceFleetType"], fleet.get("InstanceTypeConfigs", [])
    specifications = fleet.get("LaunchSpecifications", {})
    strategies = [
        specification for specification in specifications.values() if "AllocationStrategy" in specification
    ]
    limit = 30 if strategies else 5
    if not 1 <= len(types) <= limit:
        raise ValidationError(
            f"The {role} instance fleet has {len(types)} instance types: 1 to {limit} are allowed"
            + ("." if strategies else " without an allocation strategy.")
        )
    for config in types:
        weight = config.get("WeightedCapacity", 1)
        if weight < 1 or (role == "MASTER" and weight != 1):
            raise ValidationError(
                f"WeightedCapacity of {config['InstanceType']} is {weight}: it must be 1 in a master "
                "instance fleet and at least 1 in others."
            )
        if "BidPrice" in config and "BidPriceAsPercentageOfOnDemandPrice" in config:
            raise ValidationError("Specify either BidPrice or BidPriceAsPercentageOfOnDemandPrice, not both.")


def _validate_spot(fleet: Parameters) -> None:
    # https://docs.aws.amazon.com/emr/latest/APIReference/API_SpotProvisioningSpecification.html
    spot = fleet.get("LaunchSpecifications", {}).get("SpotSpecification")
    if spot is not None and not 5 <= spot["TimeoutDurationMinutes"] <= 1440:
        raise ValidationError(
            f"TimeoutDurationMinutes is {spot['TimeoutDurationMinutes']}: it must be between 5 and 1440."
        )


def _validate_groups(groups: list[Parameters]) -> None:
    _validate_roles(
        Counter(group["InstanceRole"] for group in groups if group["InstanceRole"] != "TASK"), "group"
    )
    for group in groups:
        count, role = group["InstanceCount"], group["InstanceRole"]
        if count < 1 or (role == "MASTER" and count not in (1, 3)):
            raise ValidationError(
                f"InstanceCount of the {role} group is {count}: 1 or 3 for MASTER, at least 1 for others."
            )


def _validate_roles(roles: Counter[str], noun: str) -> None:
    if roles["MASTER"] != 1 or any(count > 1 for count in roles.values()):
        raise ValidationError(
            f"A cluster has one MASTER and at most one other {noun} of a role: got {dict(roles)}."
        )
