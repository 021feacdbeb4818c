"""The instances that a cluster requests. They are only records: the local node does all the work."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from typing import Literal

from local_emr.clusters.identifiers import new_id
from local_emr.service_model import Parameters

Market = Literal["ON_DEMAND", "SPOT"]


@dataclass(frozen=True)
class Instance:
    """One instance of a fleet or group."""

    instance_type: str
    market: Market
    units: int = 1
    instance_id: str = field(default_factory=lambda: f"i-0{secrets.token_hex(8)}")


@dataclass(frozen=True)
class Collection:
    """An instance fleet or an instance group: its configuration and its instances."""

    collection_id: str
    role: str
    config: Parameters
    instances: tuple[Instance, ...]

    def units(self, market: Market) -> int:
        """Return the provisioned capacity of one market."""
        return sum(instance.units for instance in self.instances if instance.market == market)


@dataclass(frozen=True)
class Hardware:
    """All collections of a cluster, which are fleets or groups, never both."""

    kind: Literal["INSTANCE_FLEET", "INSTANCE_GROUP"]
    collections: tuple[Collection, ...]

    @property
    def master(self) -> Instance:
        return next(c.instances[0] for c in self.collections if c.role == "MASTER")

    @property
    def spot_timeout_minutes(self) -> int:
        """The shortest Spot timeout of the fleets; 60 if none has one."""
        specifications = [
            c.config.get("LaunchSpecifications", {}).get("SpotSpecification") for c in self.collections
        ]
        return min((s["TimeoutDurationMinutes"] for s in specifications if s), default=60)


def plan_hardware(instances: Parameters) -> Hardware:
    """Build the hardware for a validated `Instances` of RunJobFlow."""
    if "InstanceFleets" in instances:
        return Hardware("INSTANCE_FLEET", tuple(_plan_fleet(fleet) for fleet in instances["InstanceFleets"]))
    return Hardware("INSTANCE_GROUP", tuple(_plan_group(group) for group in _groups(instances)))


def _plan_fleet(fleet: Parameters) -> Collection:
    first = fleet["InstanceTypeConfigs"][0]
    weight = first.get("WeightedCapacity", 1)

    def provision(units: int, market: Market) -> list[Instance]:
        return [Instance(first["InstanceType"], market, weight) for _ in range(math.ceil(units / weight))]

    on_demand = provision(fleet.get("TargetOnDemandCapacity", 0), "ON_DEMAND")
    spot = provision(fleet.get("TargetSpotCapacity", 0), "SPOT")
    return Collection(new_id("if-"), fleet["InstanceFleetType"], fleet, tuple(on_demand + spot))


def _plan_group(group: Parameters) -> Collection:
    market: Market = "SPOT" if group.get("Market") == "SPOT" else "ON_DEMAND"
    instances = tuple(Instance(group["InstanceType"], market) for _ in range(group["InstanceCount"]))
    return Collection(new_id("ig-"), group["InstanceRole"], group, instances)


def _groups(instances: Parameters) -> list[Parameters]:
    """Return the groups, also for the short form (MasterInstanceType, SlaveInstanceType, InstanceCount)."""
    if "InstanceGroups" in instances:
        groups: list[Parameters] = instances["InstanceGroups"]
        return groups
    master = {"InstanceRole": "MASTER", "InstanceType": instances["MasterInstanceType"], "InstanceCount": 1}
    others = instances["InstanceCount"] - 1
    core_type = instances.get("SlaveInstanceType", instances["MasterInstanceType"])
    core = {"InstanceRole": "CORE", "InstanceType": core_type, "InstanceCount": others}
    return [master, core] if others else [master]
