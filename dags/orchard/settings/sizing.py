"""How many nodes a run needs, and how Spark's processes share a node. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchard.settings.cluster import DeployMode, Fleet, Spark
from orchard.settings.env import require
from orchard.settings.instance_types import InstanceType, find_type

CORES_FOR_IMAGES = ((50_000, 4), (200_000, 8), (500_000, 16), (1_000_000, 32))
"""(maximum new images, cores): featurize then takes a few to ten minutes at 50 images per second per core.
Fewer cores would save little, because starting a cluster takes as long; more would cost more to start."""

MOST_CORES = 64
"""Cores beyond the last entry of CORES_FOR_IMAGES."""

DRIVER_SHARE = 6 / 16
"""Share of the primary node's memory for the driver's heap in client mode: 6 of 16 GiB."""

HEAP_SHARE, OVERHEAD_SHARE = 3 / 16, 6 / 16
"""Shares of a node's memory for its single executor: 3 and 6 of 16 GiB. EMR gives YARN three quarters of it
(12 of m5.xlarge's 16), which leaves 3 for the application master and other containers."""

DRIVER_HEAP_BESIDE, DRIVER_OVERHEAD_BESIDE, OVERHEAD_BESIDE = 2 / 16, 1 / 16, 5 / 16
"""Shares of a node's memory in cluster mode: for a driver, and for the overhead of the executor. Both
must fit on one node, because a small run has only one: 3 and 8 of the 12 GiB that YARN has out of 16."""


@dataclass(frozen=True)
class SparkSizes:
    """Sizes of Spark's processes, as spark-defaults takes them."""

    driver_memory: str
    executor_memory: str
    executor_overhead: str
    executor_cores: int
    driver_overhead: str | None = None
    """None if the driver runs outside a container."""


def core_nodes_for(images: int, fleet: Fleet) -> int:
    """Return the core nodes for this many new images, given the Spot task nodes."""
    if fleet.core_nodes is not None:
        return fleet.core_nodes
    cores = next((cores for most, cores in CORES_FOR_IMAGES if images <= most), MOST_CORES)
    nodes = -(-cores // worker_cores(fleet)) - fleet.task_nodes
    return min(max(nodes, 1), fleet.max_core_nodes)


def worker_cores(fleet: Fleet) -> int:
    """Return the cores of the smallest core or task node; 4 if no type is known."""
    return min((worker.cores for worker in _workers(fleet)), default=4)


def spark_sizes(fleet: Fleet, spark: Spark) -> SparkSizes:
    """Return the sizes: one executor per node, with all its cores and most of YARN's memory.

    Fleets mix types, and an executor has to fit on each of them: the smallest type counts.

    Raises:
        OrchardError: if a size is not set, and an instance type is not known.
    """
    in_container = spark.deploy_mode is DeployMode.CLUSTER
    memory, cores = _smallest_worker(fleet, spark)
    if in_container:
        heap, overhead = memory * DRIVER_HEAP_BESIDE, OVERHEAD_BESIDE
    else:
        primaries = [] if spark.driver_memory else _known_types(fleet.primary_types, "driver_memory")
        heap, overhead = _least_memory(primaries) * DRIVER_SHARE, OVERHEAD_SHARE
    beside = spark.driver_overhead or _mebibytes(memory * DRIVER_OVERHEAD_BESIDE)
    return SparkSizes(
        spark.driver_memory or _mebibytes(heap),
        spark.executor_memory or _mebibytes(memory * HEAP_SHARE),
        spark.executor_overhead or _mebibytes(memory * overhead),
        spark.executor_cores or cores,
        beside if in_container else None,
    )


def _smallest_worker(fleet: Fleet, spark: Spark) -> tuple[float, int]:
    """Return the smallest memory, in GiB, and cores of a core or task node; 0 if every size is set."""
    set_sizes = [spark.executor_memory, spark.executor_overhead, spark.executor_cores]
    if spark.deploy_mode is DeployMode.CLUSTER:
        set_sizes += [spark.driver_memory, spark.driver_overhead]
    if all(set_sizes):
        return 0, 0
    workers = _known_types(fleet.core_types, "executor_memory")
    workers += _known_types(fleet.task_types, "executor_memory") if fleet.task_nodes else []
    return _least_memory(workers), min(worker.cores for worker in workers)


def _workers(fleet: Fleet) -> list[InstanceType]:
    names = fleet.core_types + (fleet.task_types if fleet.task_nodes else ())
    return [worker for worker in map(find_type, names) if worker]


def _least_memory(types: Sequence[InstanceType]) -> float:
    return min((one.memory for one in types), default=0)


def _known_types(names: Sequence[str], setting: str) -> list[InstanceType]:
    known = [find_type(name) for name in names]
    unknown = next((name for name, one in zip(names, known, strict=True) if one is None), None)
    rule = f"set if the memory of an instance type is not known: {unknown} is not an x86-64 c, m or r type"
    require(unknown is None, setting, "", rule)
    return [one for one in known if one]


def _mebibytes(gibibytes: float) -> str:
    size = round(gibibytes * 1024)
    return f"{size // 1024}g" if size % 1024 == 0 else f"{size}m"
