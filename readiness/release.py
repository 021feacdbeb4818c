"""EMR's release, its supported instance types, and the security configuration."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orchard.settings.cluster import Fleet
from readiness.finding import Finding, failed, passed
from readiness.planned_cluster import fleet_types
from readiness.refusals import ask

UNKNOWN = ("InvalidRequestException", "ValidationException")
"""EMR's codes for a name that it does not know."""

MOST_PAGES = 100


def check_release(emr: Any, fleet: Fleet) -> Iterator[Finding]:
    """Check that the release exists, contains Spark, and supports the instance types."""
    found = ask(lambda: emr.describe_release_label(ReleaseLabel=fleet.release), UNKNOWN)
    if found is None:
        known = _list_labels(emr, fleet.release)
        remedy = f"set ORCHARD_RELEASE to one of {known}" if known else "correct ORCHARD_RELEASE"
        yield failed("release", f"EMR has no release {fleet.release} in this region", remedy)
        return
    versions = {item["Name"].lower(): item.get("Version", "") for item in found.get("Applications", ())}
    if "spark" in versions:
        yield passed("release", f"{fleet.release} with Spark {versions['spark']}")
    else:
        yield failed(
            "release", f"{fleet.release} has no Spark", "set ORCHARD_RELEASE to a release with Spark"
        )
    yield check_instance_types(emr, fleet)


def check_instance_types(emr: Any, fleet: Fleet) -> Finding:
    """EMR rejects a request with an unsupported type: https://github.com/boto/boto3/issues/3418"""
    supported = set(_list_supported(emr, fleet.release))
    configured = fleet_types(fleet)
    missing = {
        f"ORCHARD_{kind.upper()}_TYPES": [name for name in names if name not in supported]
        for kind, names in configured.items()
    }
    wrong = [f"{', '.join(names)} in {variable}" for variable, names in missing.items() if names]
    if wrong:
        found = f"{fleet.release} does not support {'; '.join(wrong)}"
        return failed("instance types", found, "name types that it supports")
    every = dict.fromkeys(name for names in configured.values() for name in names)
    return passed("instance types", f"{fleet.release} supports {', '.join(every)}")


def check_security_configuration(emr: Any, name: str | None) -> Iterator[Finding]:
    """Check that the security configuration exists, if one is set."""
    if name is None:
        return
    if ask(lambda: emr.describe_security_configuration(Name=name), UNKNOWN) is None:
        remedy = (
            "correct ORCHARD_SECURITY_CONFIGURATION: the stack's output SecurityConfiguration has its name"
        )
        yield failed("security configuration", f"EMR has no {name} in this region", remedy)
        return
    yield passed("security configuration", name)


def _list_labels(emr: Any, label: str) -> str:
    """Return existing labels similar to a missing one; '' if the caller may not list them."""
    prefix = label.rpartition("-")[0] + "-"
    try:
        labels = emr.list_release_labels(Filters={"Prefix": prefix}).get("ReleaseLabels", [])
    except (ClientError, BotoCoreError):
        return ""
    return ", ".join(sorted(labels, reverse=True)[:5])


def _list_supported(emr: Any, label: str) -> Iterator[str]:
    request = {"ReleaseLabel": label}
    for _ in range(MOST_PAGES):
        page = emr.list_supported_instance_types(**request)
        yield from (item["Type"] for item in page.get("SupportedInstanceTypes", ()))
        if not page.get("Marker"):
            return
        request["Marker"] = page["Marker"]
