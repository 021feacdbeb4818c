"""Terminate the lake's clusters that have outlived their DAG run, or are too old.

EMR tags name a cluster's lake, DAG and run, so the sweep covers every DAG on the lake. If somebody clears a
run between the check and the termination of its cluster, the run's next task fails: clear it again.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.sdk.exceptions import AirflowException

from orchard.emr.job_flow import CANARY_DAG, DAG_TAG, RUN_TAG, lake_clusters, parse_run_tag
from orchard.settings.cluster import Limits
from orchard.settings.settings import Settings
from orchard.workflow.alerts import warn_ended_clusters
from orchard_airflow.emr_api import LIVE_STATES, ClusterGroup, created_at, describe, list_live, tags_of
from orchard_airflow.emr_retries import ADAPTIVE_RETRIES

log = logging.getLogger(__name__)

IsActive = Callable[[str, str], bool]
"""Whether Airflow has a queued or running run of this DAG id and run id."""


@dataclass(frozen=True)
class Sweep:
    """Reasons by cluster id: for those terminated, and for those that could not be."""

    ended: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def why_end(tags: Mapping[str, str], age: timedelta, limits: Limits, is_active: IsActive) -> str | None:
    """Return why to terminate a cluster of the lake; None to keep it. Pure, except for ``is_active``."""
    if age > timedelta(hours=limits.max_cluster_hours):
        return f"it is {age / timedelta(hours=1):.1f} h old, the limit is {limits.max_cluster_hours:g} h"
    if age < timedelta(seconds=limits.sweep_grace) or DAG_TAG not in tags or RUN_TAG not in tags:
        return None  # without tags its run is unknown
    dag_id, run_id = tags[DAG_TAG], parse_run_tag(tags[RUN_TAG])
    if dag_id == CANARY_DAG or is_active(dag_id, run_id):
        return None
    return f"Airflow has no queued or running run {run_id} of the DAG {dag_id}"


def sweep(client: Any, group: ClusterGroup, limits: Limits, is_active: IsActive) -> Sweep:
    """Terminate the clusters of ``group`` that ``why_end`` selects; continue if one cannot be terminated.

    ``client`` is boto3's EMR client.
    """
    swept = Sweep()
    for cluster_id in list_live(client, group):
        cluster: dict[str, Any] = {}
        try:
            cluster = describe(client, cluster_id)
            if why := _why_end(cluster, group, limits, is_active):
                client.terminate_job_flows(JobFlowIds=[cluster_id])
                swept.ended[cluster_id] = why
                log.info("Terminated %s: %s", cluster_id, why)
        except Exception as error:  # whatever it is, go on with the other clusters
            swept.left[cluster_id] = _explain(error, cluster)
            log.warning("Could not terminate %s: %s", cluster_id, swept.left[cluster_id])
    return swept


def sweep_lake(ti: Any, settings: Settings) -> dict[str, str]:
    """Sweep the lake; return why each cluster was terminated, by id. ``ti`` looks up DAG runs in Airflow.

    Raises:
        AirflowException: names the clusters that could not be terminated.
    """

    def is_active(dag_id: str, run_id: str) -> bool:
        return bool(ti.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=["queued", "running"]))

    client = EmrHook(**settings.access.hook, config=ADAPTIVE_RETRIES).conn
    swept = sweep(client, lake_clusters(settings), settings.limits, is_active)
    warn_ended_clusters(settings, swept.ended)
    if swept.left:
        left = "; ".join(f"{cluster_id}: {why}" for cluster_id, why in swept.left.items())
        raise AirflowException(f"Could not check or terminate {len(swept.left)} live clusters: {left}")
    return swept.ended


def _why_end(
    cluster: Mapping[str, Any], group: ClusterGroup, limits: Limits, is_active: IsActive
) -> str | None:
    if cluster["Status"]["State"] not in LIVE_STATES or not group.tags.items() <= tags_of(cluster).items():
        return None
    return why_end(tags_of(cluster), datetime.now(UTC) - created_at(cluster), limits, is_active)


def _explain(error: Exception, cluster: Mapping[str, Any]) -> str:
    if not cluster.get("TerminationProtected"):
        return f"{type(error).__name__}: {error}"
    lift = f"aws emr modify-cluster-attributes --cluster-id {cluster['Id']} --no-termination-protected"
    return f"it has termination protection; disable it with `{lift}`"
