"""Spark's settings on the local node: the cluster's, without those that this machine cannot honour."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from local_emr.service_model import Parameters

_UNITS = {"": 1 << 20, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_NEED_YARN = (
    "spark.master",
    "spark.submit.deployMode",
    "spark.dynamicAllocation.",
    "spark.shuffle.service.",
    "spark.yarn.",
    "spark.history.",
)
_EVENT_LOGS = "spark.eventLog.dir"
_MEMORY = ("spark.driver.memory", "spark.executor.memory")
_COMMITTER = "spark.hadoop.fs.s3a.committer.name"
PYTHON_PROPERTIES = ("spark.pyspark.python", "spark.pyspark.driver.python")
PYTHON_VARIABLES = ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")


@dataclass(frozen=True)
class Adapted:
    """A setting for the local node (None: left out), and a note for the controller's log."""

    value: str | None
    note: str | None = None


@dataclass(frozen=True)
class Capabilities:
    """What the local node has that EMR's nodes have."""

    own_python: bool = False
    """Whether the cluster has bootstrap actions, which then must create its Python. Without any, a path on
    EMR's nodes is replaced by the node's own Python."""
    yarn: bool = False


NO_CAPABILITIES = Capabilities()


def adapt_property(key: str, value: str, capabilities: Capabilities = NO_CAPABILITIES) -> Adapted:
    """Adapt one Spark property to this machine."""
    missing = _find_missing(key, value, capabilities)
    if missing:
        return Adapted(None, f"{key}={value} is left out: this machine has no {missing}")
    if (key, value) == (_COMMITTER, "magicv2"):
        return Adapted("magic", f"{key}=magicv2 exists only on EMR: using Hadoop's magic committer")
    if value.startswith("org.apache.spark.internal.io.cloud."):
        return Adapted(None, f"{key}={value} is left out: pyspark's jars do not contain it")
    if key in PYTHON_PROPERTIES and not capabilities.own_python and shutil.which(value) is None:
        return Adapted(
            None, f"{key}={value} is left out: no such Python on this machine; using the node's own"
        )
    if key in _MEMORY:
        return cap_memory(key, value)
    return Adapted(value)


def _find_missing(key: str, value: str, capabilities: Capabilities) -> str | None:
    """Return what a property needs and this machine does not have."""
    if key == _EVENT_LOGS and value.startswith("hdfs:"):
        return "HDFS"
    return "YARN" if key.startswith(_NEED_YARN) and not capabilities.yarn else None


def cap_memory(key: str, value: str) -> Adapted:
    """Cap a JVM size (`8g`, `512m`; a bare number is MiB) at the machine's memory."""
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)b?", value.strip().lower())
    total: int = psutil.virtual_memory().total
    if match is None or int(match[1]) * _UNITS[match[2]] <= total:
        return Adapted(value)  # Spark refuses values that are not sizes
    capped = f"{total >> 20}m"
    return Adapted(capped, f"{key}={value} is more than this machine has: using {capped}")


def read_properties(configurations: list[Parameters], classification: str) -> dict[str, str]:
    """Read the properties of one classification; a later one wins, as on EMR."""
    properties: dict[str, str] = {}
    for configuration in configurations:
        if configuration.get("Classification") == classification:
            properties.update(configuration.get("Properties", {}))
    return properties


def read_exports(configurations: list[Parameters]) -> dict[str, str]:
    """Read the variables of `spark-env`, which are in a nested `export` classification."""
    exports: dict[str, str] = {}
    for configuration in configurations:
        if configuration.get("Classification") == "spark-env":
            exports.update(read_properties(configuration.get("Configurations", []), "export"))
    return exports


def build_defaults(
    asked: Mapping[str, str], master: str, local_dir: Path, capabilities: Capabilities = NO_CAPABILITIES
) -> tuple[dict[str, str], list[str]]:
    """Build the spark-defaults of a cluster for this machine, and notes on what was changed."""
    adapted = {key: adapt_property(key, value, capabilities) for key, value in asked.items()}
    defaults = {key: setting.value for key, setting in adapted.items() if setting.value is not None}
    if _EVENT_LOGS not in defaults:
        defaults.pop("spark.eventLog.enabled", None)  # Spark would otherwise look in /tmp
    temporary = f"-Djava.io.tmpdir={local_dir}"
    quoted = f'"{temporary}"' if " " in temporary else temporary
    java_options = f"{quoted} {defaults.get('spark.driver.defaultJavaOptions', '')}".strip()
    defaults |= {
        "spark.master": master,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.defaultJavaOptions": java_options,
        "spark.ui.enabled": "false",
        "spark.local.dir": str(local_dir),
    }
    return defaults, [setting.note for setting in adapted.values() if setting.note]


def render_properties(properties: Mapping[str, str]) -> str:
    """Render a Java properties file, with backslashes and line ends escaped for java.util.Properties."""
    return "".join(f"{_escape(key, key=True)} {_escape(value)}\n" for key, value in properties.items())


def _escape(text: str, key: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    if key:
        return re.sub(r"([ :=#!])", r"\\\1", escaped)
    return "\\" + escaped if escaped.startswith(" ") else escaped
