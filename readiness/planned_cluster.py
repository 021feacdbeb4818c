"""The cluster of a night, as its settings and the number of new images ask for it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchard.settings.cluster import Fleet
from orchard.settings.instance_types import find_type
from orchard.settings.sizing import CORES_FOR_IMAGES, core_nodes_for


@dataclass(frozen=True)
class PlannedCluster:
    """What a night asks of EC2.

    Args:
        on_demand: vCPUs of the primary and core nodes, each as big as its fleet's biggest type.
        spot: Likewise of the task nodes.
        unknown: Types whose names do not tell their vCPUs; they are not counted.
    """

    core_nodes: int
    task_nodes: int
    on_demand: int
    spot: int
    unknown: tuple[str, ...]

    @property
    def nodes(self) -> int:
        return 1 + self.core_nodes + self.task_nodes

    def describe(self) -> str:
        return f"1 primary, {self.core_nodes} core and {self.task_nodes} task nodes"


def plan_cluster(fleet: Fleet, new_images: int) -> PlannedCluster:
    """Return the cluster for so many new images."""
    core_nodes = core_nodes_for(new_images, fleet)
    types = fleet_types(fleet)
    return PlannedCluster(
        core_nodes=core_nodes,
        task_nodes=fleet.task_nodes,
        on_demand=_most_cores(types["primary"]) + core_nodes * _most_cores(types["core"]),
        spot=fleet.task_nodes * _most_cores(types.get("task", ())),
        unknown=tuple(sorted(name for names in types.values() for name in names if find_type(name) is None)),
    )


def plan_largest(fleet: Fleet) -> PlannedCluster:
    """Return the cluster for more images than the table of sizes has."""
    return plan_cluster(fleet, CORES_FOR_IMAGES[-1][0] + 1)


def fleet_types(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    """Return the instance types of each fleet that a cluster has."""
    types = {"primary": fleet.primary_types, "core": fleet.core_types}
    return {**types, "task": fleet.task_types} if fleet.task_nodes else types


def _most_cores(names: Sequence[str]) -> int:
    return max((found.cores for found in map(find_type, names) if found), default=0)
