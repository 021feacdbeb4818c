"""The only node of a cluster: its folders, its Python, and the environment of its commands.

The folders of all nodes are in the server's working folder, which `claim_work_dir` claims.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_emr.clusters.cluster import Cluster
from local_emr.execution.processes import build_cluster_marker, end_processes
from local_emr.execution.spark_conf import (
    PYTHON_PROPERTIES,
    PYTHON_VARIABLES,
    Capabilities,
    build_defaults,
    read_exports,
    read_properties,
    render_properties,
)
from local_emr.execution.spark_submit import names_properties
from local_emr.settings import Settings
from local_emr.validation.releases import find_spark_version

_LOGGER = logging.getLogger(__name__)

TASK_ATTEMPTS = 4
"""Attempts per task, as on a cluster. In local mode, Spark tries once unless its master says otherwise."""

_SPARK_FOLDERS = ("/usr/bin", "/usr/lib/spark/bin")
_SPARK_PROGRAMS = (
    "pyspark",
    "run-example",
    "spark-class",
    "spark-example",
    "spark-shell",
    "spark-sql",
    "spark-submit",
)
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
# Credentials, region and endpoints, which a node gets from its instance profile. It gets no other variable.
_PASSED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
    "HOME",
    "JAVA_HOME",
)


class WorkDirInUseError(Exception):
    """Another server uses the folder."""


class Node:
    """The node of one cluster. Its folders are made by `prepare` and removed by `remove`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._settings = cluster.settings
        self._configurations = cluster.request.get("Configurations", [])
        self.folder = cluster.folder
        self.temporary = self.folder / "tmp"
        self.conf_dir = self.folder / "conf"
        self.spark_defaults = self.conf_dir / "spark-defaults.conf"
        self.marker = build_cluster_marker(cluster.cluster_id)
        self.capabilities = Capabilities(
            own_python=bool(cluster.request.get("BootstrapActions")), yarn=cluster.settings.has_yarn
        )
        self.notes: list[str] = []
        """Return notes on what was changed in the cluster's spark-defaults."""
        self._spark_home: Path | None = None

    def prepare(self) -> None:
        """Make the folders and write spark-defaults.conf."""
        for folder in (self.temporary, self.conf_dir):
            folder.mkdir(parents=True, exist_ok=True)
        asked = read_properties(self._configurations, "spark-defaults")
        master = self._settings.spark_master or f"local[{self._settings.cores},{TASK_ATTEMPTS}]"
        defaults, self.notes = build_defaults(asked, master, self.temporary, self.capabilities)
        own = self._settings.spark_defaults
        # If a key occurs twice, the last one counts.
        content = f"{own.read_text(encoding='utf-8')}\n" if own else ""
        content += render_properties(defaults)
        self.spark_defaults.write_text(content, encoding="utf-8")

    def remove(self) -> None:
        """Remove all files of the cluster. Its logs are under LogUri."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def bootstrap_environment(self) -> dict[str, str]:
        """Return the environment of a bootstrap action, which runs before Spark is installed."""
        return _base_environment(os.environ, self._settings) | {
            self.marker.name: self.marker.value,
            "TMPDIR": str(self.temporary),
        }

    def step_environment(self) -> dict[str, str]:
        """Return the environment of a step: the node's variables, overridden by those of `spark-env`."""
        environment = self.bootstrap_environment() | {
            "SPARK_CONF_DIR": str(self.conf_dir),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": str(self._settings.node_python),
        }
        exports = read_exports(self._configurations)
        for name in PYTHON_VARIABLES:
            if name in exports and not self.capabilities.own_python and shutil.which(exports[name]) is None:
                del exports[name]  # a path on EMR's nodes: replaced by the node's own Python
        if options := self._settings.driver_java_options:
            environment["SPARK_SUBMIT_OPTS"] = options
        spark_home = self.spark_home()
        return environment | ({"SPARK_HOME": str(spark_home)} if spark_home else {}) | exports

    def spark_home(self) -> Path | None:
        """Return the Spark home, cached once found: a bootstrap action or a step may install it."""
        self._spark_home = self._spark_home or find_spark_home(self._settings.node_python)
        return self._spark_home

    def spark_notes(self) -> list[str]:
        """Return notes on what differs from the release and the cluster's spark-defaults."""
        release = self._cluster.request["ReleaseLabel"]
        promised = find_spark_version(release, self._settings.releases)
        spark_home = self.spark_home()
        there = read_spark_version(spark_home) if spark_home else None
        if there in (None, promised):
            return self.notes
        difference = f"{release} has Spark {promised}, but this node runs Spark {there}"
        _LOGGER.warning("cluster %s: %s", self._cluster.cluster_id, difference)
        return [f"WARNING: {difference}", *self.notes]

    def spark_submit(self, program: str, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
        """Return the command of a spark-submit step and its environment, with the defaults in a file.

        Spark puts its configuration folder on the class path, and Java rejects a class data archive if a
        folder on the class path contains a file. It ignores folders that do not exist.
        """
        environment = self.step_environment()
        if names_properties(arguments) or environment["SPARK_CONF_DIR"] != str(self.conf_dir):
            return [program, *arguments], environment
        command = [program, "--properties-file", str(self.spark_defaults), *arguments]
        return command, environment | {"SPARK_CONF_DIR": str(self.folder / "no-conf")}

    def missing_pythons(self) -> list[str]:
        """Return settings, as `name=path`, that name a Python that no bootstrap action has created."""
        if not self.capabilities.own_python:
            return []  # replaced by the node's own Python
        defaults, exports = (
            read_properties(self._configurations, "spark-defaults"),
            read_exports(self._configurations),
        )
        asked = [(key, defaults[key]) for key in PYTHON_PROPERTIES if key in defaults]
        asked += [(name, exports[name]) for name in PYTHON_VARIABLES if name in exports]
        path = self.bootstrap_environment()["PATH"]
        return [f"{name}={value}" for name, value in asked if shutil.which(value, path=path) is None]

    def find_program(self, name: str) -> str | None:
        """Find a program in the node's Python environment, or else in PATH.

        Paths of Spark's programs on EMR's nodes are mapped to those of the node's pyspark.
        """
        folder, _, base = name.rpartition("/")
        wanted = base if folder in _SPARK_FOLDERS and base in _SPARK_PROGRAMS else name
        wanted = "run-example" if wanted == "spark-example" else wanted
        return shutil.which(wanted, path=self.bootstrap_environment()["PATH"])

    def find_java(self) -> str | None:
        """Return the Java that Spark's own scripts would use."""
        home = self.step_environment().get("JAVA_HOME")
        return shutil.which(f"{home}/bin/java" if home else "java", path=self.bootstrap_environment()["PATH"])


def find_spark_home(node_python: Path) -> Path | None:
    """Return the pyspark package of the node's Python; None if it has none yet."""
    program = "import importlib.util as u; s = u.find_spec('pyspark'); print(s.origin if s else '')"
    try:
        found = subprocess.run(
            [node_python, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(found).parent if found else None


def read_spark_version(spark_home: Path) -> str | None:
    """Return the version of a pyspark package."""
    try:
        content = (spark_home / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^__version__.*= ?['\"](.+)['\"]", content, re.MULTILINE)
    return found[1] if found else None


@contextmanager
def claim_work_dir(folder: Path) -> Iterator[None]:
    """Claim the folder, and remove what a server left there that was killed together with its guard."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkDirInUseError(
                f"{folder} is in use by another local EMR: give another --work-dir"
            ) from error
        for left in folder.glob("j-*"):
            end_processes(build_cluster_marker(left.name), grace=0.0)
            shutil.rmtree(left, ignore_errors=True)
        yield


def _base_environment(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    names = (*_PASSED, *settings.pass_env, *(name for name in environ if name.startswith("AWS_ENDPOINT_URL")))
    return {
        "PATH": f"{settings.node_python.parent}:{environ.get('PATH', _DEFAULT_PATH)}",
        "LANG": "C.UTF-8",
        **{name: environ[name] for name in names if name in environ},
    }
