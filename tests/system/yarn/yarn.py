"""A YARN of one ResourceManager and two NodeManagers, of two containers of 1 GiB each. All on loopback."""

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import psutil

from tests.support.jars import JARS
from tests.support.spark_cluster import QUICK_JVM, session, wait_for_line

SERVER = "org.apache.hadoop.yarn.server"
NODES = ("node-1", "node-2")
LOOPBACK = "127.0.0.1"
OF_THE_NODE = (
    *("JAVA_HOME", "JAVA_TOOL_OPTIONS", "LANG", "SPARK_LOCAL_IP"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL_S3"),
)
"""Variables that every container has of its node, as it has an instance profile on EMR. Not the region."""


@dataclass(frozen=True)
class Yarn:
    """Where it is configured, for HADOOP_CONF_DIR, and where the nodes keep the logs of containers."""

    conf_dir: Path
    container_logs: tuple[Path, ...]


@contextmanager
def running_yarn(spark_home: Path, folder: Path) -> Iterator[Yarn]:
    """A YARN that is gone, with its containers, when the block ends; its own logs are in ``folder``."""
    conf = folder / "conf"
    _write_configuration(conf, folder)
    jars = f"{conf}:{JARS['yarn'].folder}/*:{spark_home}/jars/*"
    options = ("-Xmx256m", "-Dlog4j2.level=INFO", "--add-opens", "java.base/java.lang=ALL-UNNAMED")
    with ExitStack() as running:

        def start(name: str, server: str) -> Path:
            log = folder / f"{name}.log"
            java = (f"{_java_home()}/bin/java", *options, f"-Dnode={name}", "-cp", jars)
            command = [*java, f"{SERVER}.{server}"]
            pid = running.enter_context(session(command, _environment(), log))
            running.enter_context(_killed_with_its_children(pid))
            return log

        manager = start("manager", "resourcemanager.ResourceManager")
        wait_for_line(manager, r"Transitioned to active state")
        for log in [start(name, "nodemanager.NodeManager") for name in NODES]:
            wait_for_line(log, r"Registered with ResourceManager as")
        yield Yarn(conf, tuple(folder / name / "containers" for name in NODES))


@contextmanager
def _killed_with_its_children(pid: int) -> Iterator[None]:
    """Containers are sessions of their own, and would outlive their NodeManager. Nothing has to be saved."""
    try:
        yield
    finally:
        server = psutil.Process(pid)
        server.suspend()  # it starts no other
        for process in (*server.children(recursive=True), server):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _environment() -> dict[str, str]:
    passed = {name: os.environ[name] for name in (*OF_THE_NODE, "PATH", "HOME") if name in os.environ}
    return {
        **passed,
        "JAVA_HOME": _java_home(),
        "JAVA_TOOL_OPTIONS": QUICK_JVM,
        "LANG": "C.UTF-8",
        "SPARK_LOCAL_IP": LOOPBACK,
    }


def _java_home() -> str:
    java = shutil.which("java")
    assert java, "no java on the PATH"
    return os.environ.get("JAVA_HOME") or str(Path(java).resolve().parents[1])


def _write_configuration(conf: Path, folder: Path) -> None:
    """One for all: ``${node}`` is a property of each JVM's own."""
    conf.mkdir()
    manager, node = "yarn.resourcemanager", "yarn.nodemanager"
    managers = ("address", "scheduler.address", "resource-tracker.address", "admin.address", "webapp.address")
    nodes = ("address", "localizer.address", "webapp.address")
    _write_site(conf / "core-site.xml", {"fs.defaultFS": "file:///", "hadoop.tmp.dir": f"{folder}/tmp"})
    _write_site(
        conf / "yarn-site.xml",
        {
            f"{manager}.hostname": LOOPBACK,
            f"{manager}.bind-host": LOOPBACK,
            **dict(zip((f"{manager}.{name}" for name in managers), _free_addresses(), strict=False)),
            f"{node}.hostname": LOOPBACK,
            f"{node}.bind-host": LOOPBACK,
            **{f"{node}.{name}": f"{LOOPBACK}:0" for name in nodes},
            f"{node}.local-dirs": f"{folder}/${{node}}/local",
            f"{node}.log-dirs": f"{folder}/${{node}}/containers",
            f"{node}.env-whitelist": ",".join(OF_THE_NODE),
            f"{node}.resource.memory-mb": "2048",
            # Of memory that is reserved, not used, a JVM has plenty; EMR does not look at it either.
            f"{node}.vmem-check-enabled": "false",
            f"{node}.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
            "yarn.scheduler.minimum-allocation-mb": "256",
        },
    )
    queues = "yarn.scheduler.capacity.root"
    _write_site(
        conf / "capacity-scheduler.xml", {f"{queues}.queues": "default", f"{queues}.default.capacity": "100"}
    )


def _write_site(path: Path, properties: Mapping[str, str]) -> None:
    lines = (
        f"<property><name>{name}</name><value>{escape(value)}</value></property>"
        for name, value in properties.items()
    )
    path.write_text("\n".join(["<configuration>", *lines, "</configuration>"]))


def _free_addresses() -> Iterator[str]:
    """Yield addresses of ports that are free, each another, while somebody asks."""
    with ExitStack() as held:
        while True:
            listening = held.enter_context(socket.socket())
            listening.bind((LOOPBACK, 0))
            yield f"{LOOPBACK}:{listening.getsockname()[1]}"
