"""Actions on clusters."""

from __future__ import annotations

from collections.abc import Callable

from botocore.utils import parse_to_aware_datetime

from local_emr.clusters.cluster import ENDING, Cluster, Ending
from local_emr.errors import InvalidRequestError, ValidationError
from local_emr.execution.registry import Clusters
from local_emr.faults import FaultPlan
from local_emr.requests import descriptions
from local_emr.requests.paging import page
from local_emr.service_model import Parameters
from local_emr.settings import Settings
from local_emr.validation import rules


class ClusterActions:
    """One method for each action; `actions` names them."""

    def __init__(self, settings: Settings, clusters: Clusters, faults: FaultPlan) -> None:
        self._settings = settings
        self._clusters = clusters
        self._faults = faults
        self.actions: dict[str, Callable[[Parameters], Parameters]] = {
            "RunJobFlow": self._run_job_flow,
            "TerminateJobFlows": self._terminate_job_flows,
            "SetTerminationProtection": self._set_termination_protection,
            "SetKeepJobFlowAliveWhenNoSteps": self._set_keep_alive,
            "SetVisibleToAllUsers": self._set_visible,
            "ModifyCluster": self._modify_cluster,
            "PutAutoTerminationPolicy": self._put_auto_termination_policy,
            "GetAutoTerminationPolicy": self._get_auto_termination_policy,
            "RemoveAutoTerminationPolicy": self._remove_auto_termination_policy,
            "AddTags": self._add_tags,
            "RemoveTags": self._remove_tags,
            "DescribeCluster": self._describe_cluster,
            "ListClusters": self._list_clusters,
        }

    def _run_job_flow(self, asked: Parameters) -> Parameters:
        rules.check_run_job_flow(asked)
        cluster = Cluster(asked, self._settings)
        self._clusters.create(cluster, self._faults.take_no_capacity())
        return {"JobFlowId": cluster.cluster_id, "ClusterArn": descriptions.arn_of(cluster)}

    def _terminate_job_flows(self, asked: Parameters) -> Parameters:
        clusters = self._clusters.find_job_flows(asked["JobFlowIds"])
        if any(cluster.termination_protected and cluster.state not in ENDING for cluster in clusters):
            raise ValidationError(
                "Could not shut down one or more job flows since they are termination protected."
            )
        for cluster in clusters:
            cluster.terminate(Ending("USER_REQUEST", "Terminated by user request"))
        return {}

    def _set_termination_protection(self, asked: Parameters) -> Parameters:
        for cluster in self._live_job_flows(asked):
            with cluster.changed:
                cluster.termination_protected = asked["TerminationProtected"]
                cluster.changed.notify_all()
        return {}

    def _set_keep_alive(self, asked: Parameters) -> Parameters:
        for cluster in self._live_job_flows(asked):
            with cluster.changed:
                cluster.keep_alive = asked["KeepJobFlowAliveWhenNoSteps"]
                cluster.changed.notify_all()
        return {}

    def _set_visible(self, asked: Parameters) -> Parameters:
        for cluster in self._clusters.find_job_flows(asked["JobFlowIds"]):
            cluster.visible = asked["VisibleToAllUsers"]
        return {}

    def _modify_cluster(self, asked: Parameters) -> Parameters:
        cluster = self._clusters.find(asked["ClusterId"])
        level = rules.check_step_concurrency(asked.get("StepConcurrencyLevel", 1), InvalidRequestError)
        with cluster.changed:
            cluster.refuse_if_ending(InvalidRequestError)
            cluster.step_concurrency = level
            cluster.changed.notify_all()
        return {"StepConcurrencyLevel": level}

    def _put_auto_termination_policy(self, asked: Parameters) -> Parameters:
        timeout = rules.check_auto_termination(asked.get("AutoTerminationPolicy", {}))
        self._set_idle_timeout(asked, timeout)
        return {}

    def _remove_auto_termination_policy(self, asked: Parameters) -> Parameters:
        self._set_idle_timeout(asked, None)
        return {}

    def _set_idle_timeout(self, asked: Parameters, timeout: int | None) -> None:
        cluster = self._clusters.find(asked["ClusterId"])
        with cluster.changed:
            cluster.refuse_if_ending(InvalidRequestError)
            cluster.idle_timeout = timeout
            cluster.changed.notify_all()

    def _get_auto_termination_policy(self, asked: Parameters) -> Parameters:
        timeout = self._clusters.find(asked["ClusterId"]).idle_timeout
        return {} if timeout is None else {"AutoTerminationPolicy": {"IdleTimeout": timeout}}

    def _add_tags(self, asked: Parameters) -> Parameters:
        cluster = self._clusters.find(asked["ResourceId"])
        added = rules.check_tags(asked["Tags"])
        with cluster.changed:
            rules.check_tag_count(len(cluster.tags | added))
            cluster.tags |= added
        return {}

    def _remove_tags(self, asked: Parameters) -> Parameters:
        cluster = self._clusters.find(asked["ResourceId"])
        with cluster.changed:
            for key in asked["TagKeys"]:
                cluster.tags.pop(key, None)
        return {}

    def _describe_cluster(self, asked: Parameters) -> Parameters:
        cluster = self._clusters.find(asked["ClusterId"])
        with cluster.changed:
            return {"Cluster": descriptions.describe_cluster(cluster)}

    def _list_clusters(self, asked: Parameters) -> Parameters:
        after, before = _seconds(asked.get("CreatedAfter")), _seconds(asked.get("CreatedBefore"))
        states = asked.get("ClusterStates")
        clusters = [
            cluster
            for cluster in self._clusters.newest_first()
            if (not states or cluster.state in states)
            and (after is None or cluster.created >= after)
            and (before is None or cluster.created <= before)
        ]
        chosen, marker = page(clusters, asked.get("Marker"), self._settings.page_size, lambda c: c.cluster_id)
        return {"Clusters": [descriptions.summarise_cluster(cluster) for cluster in chosen], "Marker": marker}

    def _live_job_flows(self, asked: Parameters) -> list[Cluster]:
        clusters = self._clusters.find_job_flows(asked["JobFlowIds"])
        for cluster in clusters:
            cluster.refuse_if_ending()
        return clusters


def _seconds(timestamp: float | str | None) -> float | None:
    return None if timestamp is None else parse_to_aware_datetime(timestamp).timestamp()
