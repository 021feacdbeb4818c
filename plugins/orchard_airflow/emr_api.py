"""Queries of the EMR API that the amazon provider lacks. Synchronous, without Airflow."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

LIVE_STATES = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
READY_STATES = ("RUNNING", "WAITING")
ENDED_STATES = ("TERMINATED", "TERMINATED_WITH_ERRORS")
UNFINISHED_STEP_STATES = ("PENDING", "RUNNING", "CANCEL_PENDING")
ENDED_STEP_STATES = ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")

LONGEST_RUN = timedelta(days=7)
"""How far back to search for a run's cluster: ListClusters cannot filter by tag."""


@dataclass(frozen=True)
class ClusterGroup:
    """Clusters that share a name suffix and tags.

    The suffix is needed because ListClusters returns names, but not tags, and we may not be allowed to
    describe other clusters.

    Args:
        most: The maximum number of live ones.
    """

    name_end: str
    tags: Mapping[str, str]
    most: int


def find_clusters(client: Any, name: str, tags: Mapping[str, str], states: tuple[str, ...]) -> Iterator[str]:
    """Yield the ids of the clusters in ``states`` with this name and all of ``tags``, newest first.

    Only clusters of that name are described: we may not be allowed to describe others.
    """
    for cluster in _listed(client, states, CreatedAfter=datetime.now(UTC) - LONGEST_RUN):
        if cluster["Name"] == name and tags.items() <= tags_of(describe(client, cluster["Id"])).items():
            yield cluster["Id"]


def list_live(client: Any, group: ClusterGroup) -> list[str]:
    """Return the ids of live clusters, of any age, with the name suffix of ``group``, whatever their tags."""
    live = _listed(client, LIVE_STATES)
    return [cluster["Id"] for cluster in live if cluster["Name"].endswith(group.name_end)]


def live_clusters(client: Any, group: ClusterGroup) -> list[dict[str, Any]]:
    """Return the live clusters of ``group``, of any age, as DescribeCluster returns them."""
    clusters = (describe(client, cluster_id) for cluster_id in list_live(client, group))
    return [cluster for cluster in clusters if group.tags.items() <= tags_of(cluster).items()]


def describe(client: Any, cluster_id: str) -> dict[str, Any]:
    """Return DescribeCluster's cluster."""
    cluster: dict[str, Any] = client.describe_cluster(ClusterId=cluster_id)["Cluster"]
    return cluster


def is_local(client: Any) -> bool:
    """Whether ``client`` connects to a local EMR, which is free, rather than AWS.

    A local host is loopback or has no domain, such as ``emr``; AWS and its proxies have one.
    """
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return "." not in host or host.startswith("127.")


def tags_of(cluster: Mapping[str, Any]) -> dict[str, str]:
    """Return its tags. ``cluster`` is DescribeCluster's."""
    return {tag["Key"]: tag.get("Value", "") for tag in cluster.get("Tags", ())}


def created_at(cluster: Mapping[str, Any]) -> datetime:
    """Return when it was created. ``cluster`` is DescribeCluster's."""
    created: datetime = cluster["Status"]["Timeline"]["CreationDateTime"]
    return created


def find_steps(client: Any, cluster_id: str, name: str) -> list[dict[str, Any]]:
    """Return the steps whose name starts with ``name``, newest first, which is ListSteps' order."""
    pages = client.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    return [step for page in pages for step in page["Steps"] if step["Name"].startswith(name)]


def facts_of(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts to record about a cluster, as JSON values. ``cluster`` is DescribeCluster's."""
    timeline = cluster["Status"].get("Timeline", {})
    return {
        "id": cluster["Id"],
        "release": cluster.get("ReleaseLabel"),
        "timeline": {name: at.isoformat(timespec="seconds") for name, at in timeline.items()},
    }


def describe_end(cluster: Mapping[str, Any]) -> str:
    """Describe a cluster's state, its reason, and its logs. ``cluster`` is DescribeCluster's."""
    status = cluster["Status"]
    reason = status.get("StateChangeReason", {})
    why = ": ".join(text for text in (reason.get("Code"), reason.get("Message")) if text)
    details = "; ".join(
        ": ".join(text for text in (detail.get("ErrorCode"), detail.get("ErrorMessage")) if text)
        for detail in status.get("ErrorDetails", ())
    )
    log_uri = cluster.get("LogUri")
    logs = f"Logs: {log_uri.rstrip('/')}/{cluster['Id']}/" if log_uri else "It has no logs (no LogUri)"
    explained = " - ".join(part for part in (why, details) if part) or "EMR gives no reason"
    return f"cluster {cluster['Id']} is {status['State']}: {explained}. {logs}"


def describe_failure(step: Mapping[str, Any]) -> str:
    """Describe a step's state and EMR's reason for it. ``step`` is DescribeStep's."""
    status = step["Status"]
    details = status.get("FailureDetails", {})
    known = [
        *(details.get(key) for key in ("Reason", "Message", "LogFile")),
        status.get("StateChangeReason", {}).get("Message"),
    ]
    explained = " - ".join(part for part in known if part) or "EMR gives no reason"
    return f"step {step['Id']} ({step['Name']}) is {status['State']}: {explained}"


def runs_driver_in_container(arguments: Iterable[str]) -> bool:
    """Whether YARN runs the driver of a step with these arguments: cancelling the step does not stop it."""
    return ("--deploy-mode", "cluster") in pairwise(arguments)


def _listed(client: Any, states: tuple[str, ...], **limits: Any) -> Iterator[dict[str, Any]]:
    """Yield ListClusters' clusters, of all pages."""
    for page in client.get_paginator("list_clusters").paginate(ClusterStates=list(states), **limits):
        yield from page["Clusters"]
