"""The local EMR's settings, built by the command line or by a test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_emr.authentication import AccessKey


@dataclass(frozen=True)
class Settings:
    """Where the server listens, what its node has, and how fast timeouts pass."""

    node_python: Path
    """The node's Python. Its `bin` comes first in the PATH of every step; its pyspark is the node's Spark."""
    work_dir: Path
    """Parent of the clusters' working folders; each is removed when its cluster ends."""
    access_key: AccessKey = field(default_factory=AccessKey.generate)
    """The key that requests must be signed with; a new one at each start, unless given."""
    port: int = 0
    """0 means any free port."""
    listen: str = "127.0.0.1"
    """Address to listen on. Leave loopback only in a container's own network."""
    host_names: tuple[str, ...] = ("127.0.0.1", "localhost")
    """Host names that requests may use."""
    spark_master: str | None = None
    """URL of a Spark master, or `yarn`; without it Spark runs in local mode on `cores` cores.

    HADOOP_CONF_DIR, one of `pass_env`, says where YARN is. Its nodes do not belong to the cluster, so
    containers outlive the cluster that started them."""
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    provisioning_seconds: float = 0.0
    """Seconds that a cluster stays STARTING."""
    stop_grace_seconds: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    speedup: float = 1.0
    """EMR's timeouts (idle, Spot provisioning) are divided by this."""
    page_size: int = 50
    """Items per page of a List… action."""
    spark_defaults: Path | None = None
    """A file with Spark defaults, like those of an EMR release; a cluster's properties override them."""
    driver_java_options: str = ""
    """Java options for every driver that spark-submit starts, in addition to a cluster's."""
    container_logs: tuple[Path, ...] = ()
    """Folders in which YARN's NodeManagers keep the logs of containers."""
    s3_logs: Path | None = None
    """A folder for logs to `s3://…`, as `bucket/prefix/…`; None sends them to S3."""
    releases: Mapping[str, str] = field(default_factory=dict)
    """Newer releases to accept, each with the version of its Spark."""
    instance_types: tuple[str, ...] = ()
    """Newer instance types to accept."""
    pass_env: tuple[str, ...] = ()
    """Further environment variables of the server to pass to bootstrap actions and steps."""

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
            raise ValueError(f"spark_defaults is {self.spark_defaults}: no such file")
