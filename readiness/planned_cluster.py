"""The cluster of a nightly run, from the settings and the number of new images. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchard.settings.cluster import Fleet
from orchard.settings.instance_types import find_type
from orchard.settings.sizing import CORES_FOR_IMAGES, core_nodes_for


@dataclass(frozen=True)
class PlannedCluster:
    """The EC2 capacity that a nightly run needs.

    Args:
        on_demand: vCPUs of the primary and core nodes, if every node has its fleet's largest type.
        spot: vCPUs of the task nodes, likewise.
        unknown: Instance types with unknown vCPUs; they are not counted.
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
    """Return the cluster for a number of new images."""
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
    """Return the largest cluster in the table of sizes."""
    return plan_cluster(fleet, CORES_FOR_IMAGES[-1][0] + 1)


def fleet_types(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    """Return the instance types of a cluster's fleets, by kind of fleet."""
    types = {"primary": fleet.primary_types, "core": fleet.core_types}
    return {**types, "task": fleet.task_types} if fleet.task_nodes else types


def _most_cores(names: Sequence[str]) -> int:
    return max((found.cores for found in map(find_type, names) if found), default=0)
