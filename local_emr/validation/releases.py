"""The releases of EMR, the applications that they have, and the versions of their Spark and Hadoop.

From emr-5.20.0 on, as of autumn 2026; `--release` adds newer ones.
https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-release-components.html
https://docs.aws.amazon.com/emr/latest/ReleaseGuide/Spark-release-history.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from local_emr.errors import ValidationError
from local_emr.service_model import Parameters

# A line of releases: its last patch, and the Spark and Hadoop versions of all its patches.
_LINES: dict[str, tuple[int, str, str | None]] = {
    "emr-spark-8.1": (0, "4.1.1", None),
    "emr-spark-8.0": (0, "4.0.2", None),
    "emr-7.14": (0, "3.5.8", "3.4.2"),
    "emr-7.13": (0, "3.5.6", "3.4.2"),
    "emr-7.12": (0, "3.5.6", "3.4.1"),
    "emr-7.11": (0, "3.5.6", "3.4.1"),
    "emr-7.10": (0, "3.5.5", "3.4.1"),
    "emr-7.9": (0, "3.5.5", "3.4.1"),
    "emr-7.8": (0, "3.5.4", "3.4.1"),
    "emr-7.7": (0, "3.5.3", "3.4.0"),
    "emr-7.6": (0, "3.5.3", "3.4.0"),
    "emr-7.5": (0, "3.5.2", "3.4.0"),
    "emr-7.4": (0, "3.5.2", "3.4.0"),
    "emr-7.3": (0, "3.5.1", "3.3.6"),
    "emr-7.2": (0, "3.5.1", "3.3.6"),
    "emr-7.1": (0, "3.5.0", "3.3.6"),
    "emr-7.0": (0, "3.5.0", "3.3.6"),
    "emr-6.15": (0, "3.4.1", "3.3.6"),
    "emr-6.14": (0, "3.4.1", "3.3.3"),
    "emr-6.13": (0, "3.4.1", "3.3.3"),
    "emr-6.12": (0, "3.4.0", "3.3.3"),
    "emr-6.11": (1, "3.3.2", "3.3.3"),
    "emr-6.10": (1, "3.3.1", "3.3.3"),
    "emr-6.9": (1, "3.3.0", "3.3.3"),
    "emr-6.8": (1, "3.3.0", "3.2.1"),
    "emr-6.7": (0, "3.2.1", "3.2.1"),
    "emr-6.6": (0, "3.2.0", "3.2.1"),
    "emr-6.5": (0, "3.1.2", "3.2.1"),
    "emr-6.4": (0, "3.1.2", "3.2.1"),
    "emr-6.3": (1, "3.1.1", "3.2.1"),
    "emr-6.2": (1, "3.0.1", "3.2.1"),
    "emr-6.1": (1, "3.0.0", "3.2.1"),
    "emr-6.0": (1, "2.4.4", "3.2.1"),
    "emr-5.36": (2, "2.4.8", "2.10.1"),
    "emr-5.35": (0, "2.4.8", "2.10.1"),
    "emr-5.34": (0, "2.4.8", "2.10.1"),
    "emr-5.33": (1, "2.4.7", "2.10.1"),
    "emr-5.32": (1, "2.4.7", "2.10.1"),
    "emr-5.31": (1, "2.4.6", "2.10.0"),
    "emr-5.30": (2, "2.4.5", "2.8.5"),
    "emr-5.29": (0, "2.4.4", "2.8.5"),
    "emr-5.28": (1, "2.4.4", "2.8.5"),
    "emr-5.27": (1, "2.4.4", "2.8.5"),
    "emr-5.26": (0, "2.4.3", "2.8.5"),
    "emr-5.25": (0, "2.4.3", "2.8.5"),
    "emr-5.24": (1, "2.4.2", "2.8.5"),
    "emr-5.23": (1, "2.4.0", "2.8.5"),
    "emr-5.22": (0, "2.4.0", "2.8.5"),
    "emr-5.21": (2, "2.4.0", "2.8.5"),
    "emr-5.20": (1, "2.4.0", "2.8.5"),
}
# Releases of the emr-spark line have these and nothing else; Hadoop is not named.
_OF_SPARK_LINE = (
    "AmazonCloudWatchAgent",
    "Delta",
    "Hudi",
    "Iceberg",
    "JupyterEnterpriseGateway",
    "Livy",
    "Spark",
)
# Applications of all other lines. Which release has which of them is not checked.
_OF_OTHER_LINES = (
    *_OF_SPARK_LINE,
    "Flink",
    "Ganglia",
    "HBase",
    "HCatalog",
    "Hadoop",
    "Hive",
    "Hue",
    "JupyterHub",
    "Mahout",
    "MXNet",
    "Oozie",
    "Phoenix",
    "Pig",
    "Presto",
    "PrestoSQL",
    "Sqoop",
    "TensorFlow",
    "Tez",
    "Trino",
    "Zeppelin",
    "ZooKeeper",
)


def find_spark_version(label: str, added: Mapping[str, str]) -> str | None:
    """Return the Spark version of a release; None if there is no such release.

    `added` has further releases.
    """
    if label in added:
        return added[label]
    line = _find_line(label)
    return line[1] if line else None


def validate_release(request: Parameters, added: Mapping[str, str]) -> None:
    """Refuse an unknown release, and an application that it does not have."""
    if "AmiVersion" in request:
        raise ValidationError("AmiVersion is for releases before 4.0: use ReleaseLabel.")
    label = request.get("ReleaseLabel", "")
    if find_spark_version(label, added) is None:
        raise ValidationError(f"The supplied release label is invalid: {label!r}.")
    known = {name.lower() for name in _list_applications(label)}
    for application in request.get("Applications", []):
        name = application.get("Name", "")
        if name.lower() not in known:
            raise ValidationError(f"Application {name!r} is not part of release {label}.")


def describe_applications(request: Parameters, added: Mapping[str, str]) -> list[Parameters]:
    """Describe the applications of a cluster in EMR's spelling, with the versions that this module knows."""
    label = request["ReleaseLabel"]
    line = _find_line(label)
    versions = {"Spark": find_spark_version(label, added), "Hadoop": line[2] if line else None}
    spelled = {name.lower(): name for name in _list_applications(label)}
    names = [spelled[application["Name"].lower()] for application in request.get("Applications", [])]
    return [
        {**application, "Name": name, "Version": versions.get(name)}
        for application, name in zip(request.get("Applications", []), names, strict=True)
    ]


def _find_line(label: str) -> tuple[int, str, str | None] | None:
    found = re.fullmatch(r"(emr-(?:spark-)?\d+\.\d+)\.(\d+)", label)
    line = _LINES.get(found[1]) if found else None
    return line if found and line and int(found[2]) <= line[0] else None


def _list_applications(label: str) -> tuple[str, ...]:
    return _OF_SPARK_LINE if label.startswith("emr-spark-") else _OF_OTHER_LINES
