"""Settings of the cluster of a run: its nodes, Spark's sizes on them, and what clusters may not exceed."""

import re
import shlex
from dataclasses import dataclass

from orchard.environment import require, setting

XLARGE = ("m6i.xlarge", "m5.xlarge", "m7i.xlarge")
MORE_XLARGE = ("m6a.xlarge", "m5a.xlarge")


@dataclass(frozen=True)
class Fleet:
    """The cluster that a run creates."""

    release: str = setting("EMR release", "emr-spark-8.1.0")
    primary_types: tuple[str, ...] = setting("Instance types of the primary node", XLARGE)
    core_types: tuple[str, ...] = setting("Instance types of the core nodes", XLARGE)
    task_types: tuple[str, ...] = setting("Instance types of the task nodes", (*XLARGE, *MORE_XLARGE))
    core_nodes: int = setting("On-demand core nodes, unless the run's parameters say otherwise", 2)
    max_core_nodes: int = setting("Most core nodes that a run's parameters may ask for", 20)
    task_nodes: int = setting("Spot task nodes, on-demand where Spot has none; 0 for no task fleet", 0)
    ebs_gib: int = setting("EBS volume of each node, in GiB", 64)
    subnets: tuple[str, ...] = setting("Subnets to choose from, by comma; the default VPC's where empty", ())
    security_groups: tuple[str, ...] = setting(
        "Security groups of the nodes and of EMR's endpoint, by comma; EMR's own where empty", ()
    )
    instance_profile: str = setting("Instance profile of the nodes", "EMR_EC2_DefaultRole")
    service_role: str = setting("Service role of EMR", "EMR_DefaultRole_V2")
    security_configuration: str | None = setting(
        "EMR security configuration: encryption, and IMDSv2, which RunJobFlow itself cannot ask for", None
    )
    idle_timeout: int = setting("Seconds without work after which EMR itself ends the cluster", 900)
    node_env: str = setting(
        "Python environment that the bootstrap action makes on each node", "/opt/orchard/venv"
    )
    bootstrap_args: str = setting("More arguments of the bootstrap action, quoted as in a shell", "")

    def __post_init__(self) -> None:
        for name in ("primary_types", "core_types", "task_types"):
            kinds = getattr(self, name)
            require(1 <= len(kinds) <= 30, name, ",".join(kinds), "1 to 30 instance types")
        most = self.max_core_nodes
        require(1 <= self.core_nodes <= most, "core_nodes", self.core_nodes, f"1 to {most}")
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


@dataclass(frozen=True)
class Spark:
    """Sizes of Spark's processes. The defaults suit 4 cores and 16 GiB, of which YARN gives out 12."""

    driver_memory: str = setting("Heap of the driver, on the primary node", "6g")
    executor_memory: str = setting("Heap of an executor", "3g")
    executor_overhead: str = setting("Memory of an executor beside its heap: Python workers and model", "6g")
    executor_cores: int = setting("Cores of an executor", 4)
    batch_size: int = setting("Images per inference", 2)
    concurrent_reads: int = setting("Images read at once, per Spark task", 16)

    def __post_init__(self) -> None:
        for name in ("driver_memory", "executor_memory", "executor_overhead"):
            size = getattr(self, name)
            require(re.fullmatch(r"\d+[mg]", size) is not None, name, size, "a number and m or g, as in 6g")
        require(1 <= self.executor_cores <= 64, "executor_cores", self.executor_cores, "1 to 64")


@dataclass(frozen=True)
class Limits:
    """What the clusters of the lake may not exceed, whatever happens."""

    max_clusters: int = setting("Live clusters of this lake beside which no other is created", 2)
    max_cluster_hours: float = setting(
        "Longest life of a cluster, in hours: its steps end before, and the sweeper ends what is older", 12
    )
    sweep_grace: int = setting("Seconds for which the sweeper leaves a new cluster alone", 900)

    def __post_init__(self) -> None:
        require(self.max_clusters >= 1, "max_clusters", self.max_clusters, "1 or more")
        hours = self.max_cluster_hours
        # A run's cluster is looked for among those of seven days (``orchard_emr_api``).
        require(0 < hours <= 168, "max_cluster_hours", hours, "more than 0 and at most 168 hours")
        require(self.sweep_grace >= 0, "sweep_grace", self.sweep_grace, "0 or more")
