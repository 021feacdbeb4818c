"""How many nodes a night needs, and how Spark's processes share one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchard.cluster_settings import Fleet, Spark
from orchard.environment import require
from orchard.instance_types import InstanceType, find_type

CORES_FOR_IMAGES = ((50_000, 4), (200_000, 8), (500_000, 16), (1_000_000, 32))
"""Up to so many new images, so many cores compute features: a few minutes to ten at 50 images a second and
core. Fewer cores would save little, because starting a cluster takes as long; more would cost more starts."""

MOST_CORES = 64
"""For more images than the table has."""

DRIVER_SHARE = 6 / 16
"""Of the primary node's memory: 6 of 16 GiB."""

HEAP_SHARE, OVERHEAD_SHARE = 3 / 16, 6 / 16
"""Of a node's memory, for its one executor: 3 and 6 of 16 GiB. EMR gives YARN three quarters of it (12 of
m5.xlarge's 16), so a quarter of that stays for the application master and what else asks."""


@dataclass(frozen=True)
class SparkSizes:
    """Sizes of Spark's processes, as spark-defaults takes them."""

    driver_memory: str
    executor_memory: str
    executor_overhead: str
    executor_cores: int


def core_nodes_for(images: int, fleet: Fleet) -> int:
    """Return how many core nodes compute so many new images, with the Spot task nodes that there are."""
    if fleet.core_nodes is not None:
        return fleet.core_nodes
    cores = next((cores for most, cores in CORES_FOR_IMAGES if images <= most), MOST_CORES)
    nodes = -(-cores // cores_of_worker(fleet)) - fleet.task_nodes
    return min(max(nodes, 1), fleet.max_core_nodes)


def cores_of_worker(fleet: Fleet) -> int:
    """Return the cores of the smallest node that computes; 4 where no name tells them."""
    return min((worker.cores for worker in _workers(fleet)), default=4)


def spark_sizes(fleet: Fleet, spark: Spark) -> SparkSizes:
    """Return the sizes: one executor on each node, with its cores and most of what YARN gives out.

    Fleets mix types, and an executor has to fit on each of them: the smallest one counts.

    Raises:
        OrchardError: where a size is not set, and the name of a type does not tell its memory.
    """
    given = SparkSizes(
        spark.driver_memory or "",
        spark.executor_memory or "",
        spark.executor_overhead or "",
        spark.executor_cores or 0,
    )
    if not given.driver_memory:
        primaries = _known(fleet.primary_types, "driver_memory")
        memory = min(primary.memory for primary in primaries)
        given = replace(given, driver_memory=_mebibytes(memory * DRIVER_SHARE))
    if given.executor_memory and given.executor_overhead and given.executor_cores:
        return given
    workers = _known(fleet.core_types, "executor_memory")
    workers += _known(fleet.task_types, "executor_memory") if fleet.task_nodes else []
    memory = min(worker.memory for worker in workers)
    return SparkSizes(
        given.driver_memory,
        given.executor_memory or _mebibytes(memory * HEAP_SHARE),
        given.executor_overhead or _mebibytes(memory * OVERHEAD_SHARE),
        given.executor_cores or min(worker.cores for worker in workers),
    )


def _workers(fleet: Fleet) -> list[InstanceType]:
    names = fleet.core_types + (fleet.task_types if fleet.task_nodes else ())
    return [worker for worker in map(find_type, names) if worker]


def _known(names: Sequence[str], setting: str) -> list[InstanceType]:
    known = [find_type(name) for name in names]
    unknown = next((name for name, one in zip(names, known, strict=True) if one is None), None)
    rule = (
        f"a size where the memory of an instance type is not known: {unknown} is none of c, m and r of x86-64"
    )
    require(unknown is None, setting, "", rule)
    return [one for one in known if one]


def _mebibytes(gibibytes: float) -> str:
    size = round(gibibytes * 1024)
    return f"{size // 1024}g" if size % 1024 == 0 else f"{size}m"
