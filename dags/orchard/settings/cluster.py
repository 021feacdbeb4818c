"""Settings of a run's cluster: its nodes, the size of Spark's processes, its cost and limits."""

import re
import shlex
from dataclasses import dataclass
from enum import StrEnum

from orchard.settings.env import require, setting
from orchard.settings.instance_types import is_arm
from orchard_jobs.contract import DamagedImages, Decoding, InstructionSet

XLARGE = ("m6i.xlarge", "m5.xlarge", "m7i.xlarge")
MORE_XLARGE = ("m6a.xlarge", "m5a.xlarge")
DEFAULT_ROLE = "EMR_DefaultRole_V2"
BY_TYPE = "none: derived from the instance types"


@dataclass(frozen=True)
class Fleet:
    """The cluster that a run creates."""

    release: str = setting("EMR release", "emr-spark-8.1.0")
    primary_types: tuple[str, ...] = setting("Instance types of the primary node", XLARGE)
    core_types: tuple[str, ...] = setting("Instance types of the core nodes", XLARGE)
    task_types: tuple[str, ...] = setting("Instance types of the task nodes", (*XLARGE, *MORE_XLARGE))
    core_nodes: int | None = setting(
        "On-demand core nodes, unless a run's parameters set them",
        None,
        shown="none: derived from the number of new images",
    )
    max_core_nodes: int = setting("Maximum core nodes that a run's parameters may request", 20)
    task_nodes: int = setting("Spot task nodes, on-demand if Spot has no capacity; 0: no task fleet", 0)
    ebs_gib: int = setting("EBS volume of each node, in GiB", 64)
    subnets: tuple[str, ...] = setting(
        "Comma-separated subnets to use; none: the default VPC's, which EMR_DefaultRole_V2 may not use",
        (),
    )
    security_groups: tuple[str, ...] = setting(
        "Comma-separated security groups of the nodes and of EMR's service access; empty: EMR's own", ()
    )
    instance_profile: str = setting("Instance profile of the nodes", "EMR_EC2_DefaultRole")
    service_role: str = setting("Service role of EMR", DEFAULT_ROLE)
    security_configuration: str | None = setting(
        "EMR security configuration: encryption, and IMDSv2, which RunJobFlow itself cannot enforce", None
    )
    idle_timeout: int = setting("Idle seconds after which EMR itself terminates the cluster", 900)
    node_env: str = setting(
        "Python environment that the bootstrap action creates on each node", "/opt/orchard/venv"
    )
    bootstrap_args: str = setting("Extra arguments of the bootstrap action, shell-quoted", "")

    def __post_init__(self) -> None:
        for name in ("primary_types", "core_types", "task_types"):
            kinds = getattr(self, name)
            require(1 <= len(kinds) <= 30, name, ",".join(kinds), "1 to 30 instance types")
            # https://pypi.org/project/openvino/#files against Amazon Linux 2023's glibc 2.34
            rule = "x86-64 types: OpenVINO's arm64 packages need a newer system than EMR's"
            require(not any(map(is_arm, kinds)), name, ",".join(kinds), rule)
        most = self.max_core_nodes
        is_size = self.core_nodes is None or 1 <= self.core_nodes <= most
        require(is_size, "core_nodes", self.core_nodes, f"1 to {most}")
        require(0 <= self.task_nodes <= 1000, "task_nodes", self.task_nodes, "0 to 1000")
        require(10 <= self.ebs_gib <= 16384, "ebs_gib", self.ebs_gib, "10 to 16384")
        groups = ",".join(self.security_groups)
        require(len(self.security_groups) in (0, 2), "security_groups", groups, "two groups, or none")
        require(60 <= self.idle_timeout <= 604800, "idle_timeout", self.idle_timeout, "60 to 604800 seconds")
        require(self.node_env.startswith("/"), "node_env", self.node_env, "an absolute path")
        try:
            shlex.split(self.bootstrap_args)
        except ValueError:
            require(False, "bootstrap_args", self.bootstrap_args, "arguments with balanced quotes")


class DeployMode(StrEnum):
    """Where a driver runs, as spark-submit calls it; docs/explanation/driver-and-sizes.md compares them."""

    CLIENT = "client"
    """On the primary node."""
    CLUSTER = "cluster"
    """In a YARN container, on a core or task node."""


@dataclass(frozen=True)
class Spark:
    """Sizes of Spark's processes. Unset sizes are derived from the instance types, see ``sizing.py``."""

    deploy_mode: DeployMode = setting(  # noqa: RUF009 - it makes a field
        "Where drivers run: client: on the primary node; cluster: in a container on another node",
        DeployMode.CLIENT,
    )
    driver_memory: str | None = setting("Heap of the driver", None, shown=BY_TYPE)
    driver_overhead: str | None = setting(
        "Memory of the driver besides its heap, if it runs in a container", None, shown=BY_TYPE
    )
    executor_memory: str | None = setting("Heap of an executor", None, shown=BY_TYPE)
    executor_overhead: str | None = setting(
        "Memory of an executor besides its heap: Python workers and model", None, shown=BY_TYPE
    )
    executor_cores: int | None = setting("Cores of an executor", None, shown=BY_TYPE)
    batch_size: int = setting("Images per inference batch", 2)
    concurrent_reads: int = setting("Concurrent image reads per Spark task", 16)
    decoding: Decoding = setting(  # noqa: RUF009 - it makes a field
        "exact, or scaled: decode large JPEGs at a fraction of their size, for slightly different features",
        Decoding.EXACT,
    )
    damaged_images: DamagedImages = setting(  # noqa: RUF009 - it makes a field
        "reject, or accept: use images that the decoder warns about, including pixels that it fills in",
        DamagedImages.REJECT,
    )
    instruction_set: InstructionSet | None = setting(  # noqa: RUF009 - it makes a field
        "avx2: byte-identical float32 features on every CPU; slower on CPUs with AVX-512",
        None,
        shown="none: all that each CPU supports",
    )

    def __post_init__(self) -> None:
        for name in ("driver_memory", "driver_overhead", "executor_memory", "executor_overhead"):
            size = getattr(self, name)
            is_size = size is None or re.fullmatch(r"\d+[mg]", size) is not None
            require(is_size, name, size, "a number followed by m or g, such as 6g")
        cores = self.executor_cores
        require(cores is None or 1 <= cores <= 64, "executor_cores", cores, "1 to 64")


@dataclass(frozen=True)
class Cost:
    """The assumptions of a cost estimate, and its ceiling."""

    cost_ceiling: float | None = setting(
        "Maximum estimated cost of a run, in dollars; above it the run fails before creating a cluster", None
    )
    images_per_core: float = setting(
        "Assumed images per second per core, until the lake has measurements from three runs on EMR", 50
    )
    boot_seconds: int = setting(
        "Assumed seconds to start a cluster, until the lake has measurements from three runs on EMR", 480
    )

    def __post_init__(self) -> None:
        ceiling = self.cost_ceiling
        require(ceiling is None or ceiling > 0, "cost_ceiling", ceiling, "more than 0 dollars")
        require(self.images_per_core > 0, "images_per_core", self.images_per_core, "more than 0")
        require(self.boot_seconds >= 0, "boot_seconds", self.boot_seconds, "0 or more")


@dataclass(frozen=True)
class Limits:
    """Hard limits on the lake's clusters."""

    max_clusters: int = setting("Maximum live clusters of this lake", 2)
    max_cluster_hours: float = setting(
        "Maximum age of a cluster, in hours: its steps end before, and the sweeper terminates older ones", 12
    )
    sweep_grace: int = setting("Seconds for which the sweeper leaves a new cluster alone", 900)

    def __post_init__(self) -> None:
        require(self.max_clusters >= 1, "max_clusters", self.max_clusters, "1 or more")
        hours = self.max_cluster_hours
        # ``orchard_airflow.emr_api`` searches seven days back for a run's cluster.
        require(0 < hours <= 168, "max_cluster_hours", hours, "more than 0 and at most 168 hours")
        require(self.sweep_grace >= 0, "sweep_grace", self.sweep_grace, "0 or more")
