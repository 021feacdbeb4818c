"""How the local EMR is set up: one value, made by the command line or by a test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_emr.authentication import AccessKey


@dataclass(frozen=True)
class Settings:
    """Where the server listens, what its node has, and how fast its time passes."""

    node_python: Path
    """Python of the node; its `bin` comes first in the PATH of every step, and its pyspark is Spark."""
    work_dir: Path
    """Working folders of live clusters; each is removed when its cluster ends."""
    access_key: AccessKey = field(default_factory=AccessKey.make)
    """Whose requests are answered; another one at each start, unless it is given."""
    port: int = 0
    """0 takes any free port."""
    listen: str = "127.0.0.1"
    """Address to listen on; another than loopback's only in a container's own network."""
    host_names: tuple[str, ...] = ("127.0.0.1", "localhost")
    """Host names under which requests are answered."""
    spark_master: str | None = None
    """URL of a Spark master, or `yarn`; without it Spark runs in local mode on `cores` cores.

    Where YARN is says HADOOP_CONF_DIR, one of `pass_env`. Its nodes are not the cluster's: what runs in
    containers outlives the cluster that started it."""
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    provisioning_seconds: float = 0.0
    """How long a cluster stays STARTING."""
    stop_grace_seconds: float = 5.0
    """Between SIGTERM and SIGKILL."""
    speedup: float = 1.0
    """EMR's own timeouts (idle, Spot provisioning) pass this many times faster."""
    page_size: int = 50
    """Items in one page of a List… action."""
    spark_defaults: Path | None = None
    """Spark properties that the node has of its own, as EMR's release has; a cluster's count before them."""
    driver_java_options: str = ""
    """Java options of every driver that spark-submit starts, beside a cluster's own."""
    container_logs: tuple[Path, ...] = ()
    """Folders in which YARN's NodeManagers keep the logs of containers."""
    s3_logs: Path | None = None
    """A folder that takes logs for `s3://…`, as `bucket/prefix/…`; without it they go to S3."""
    releases: Mapping[str, str] = field(default_factory=dict)
    """Releases that EMR has by now beside those that are known here, each with the version of its Spark."""
    instance_types: tuple[str, ...] = ()
    """Instance types that EMR has by now beside those that are known here."""
    pass_env: tuple[str, ...] = ()
    """Further variables of the server that bootstrap actions and steps see."""

    @property
    def has_yarn(self) -> bool:
        return self.spark_master == "yarn"

    def __post_init__(self) -> None:
        for name in ("cores", "speedup", "page_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be greater than 0")
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port is {self.port}: it must be between 0 and 65535")
        for path in (self.work_dir, self.node_python, *([self.s3_logs] if self.s3_logs else [])):
            if not path.is_absolute():
                raise ValueError(f"paths must be absolute: {path}")
        if self.spark_defaults is not None and not self.spark_defaults.is_file():
            raise ValueError(f"spark_defaults is {self.spark_defaults}: there is no such file")
