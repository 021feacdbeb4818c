"""Actions on clusters."""

from __future__ import annotations

from collections.abc import Callable

from botocore.utils import parse_to_aware_datetime

from local_emr.clusters.cluster import ENDING, Cluster, Ending
from local_emr.errors import InvalidRequestError, ValidationError
from local_emr.execution.registry import ClusterRegistry
from local_emr.faults import FaultPlan
from local_emr.requests import descriptions
from local_emr.requests.paging import paginate
from local_emr.requests.security_actions import SecurityActions
from local_emr.service_model import Parameters
from local_emr.settings import Settings
from local_emr.validation import rules


class ClusterActions:
    """One method for each action; `actions` names them."""

    def __init__(
        self, settings: Settings, clusters: ClusterRegistry, security: SecurityActions, faults: FaultPlan
    ) -> None:
        self._settings = settings
        self._security = security
        self._clusters = clusters
        self._faults = faults
        self.actions: dict[str, Callable[[Parameters], Parameters]] = {
            "RunJobFlow": self._run_job_flow,
            "TerminateJobFlows": self._terminate_job_flows,
            "SetTerminationProtection": self._set_termination_protection,
            "SetKeepJobFlowAliveWhenNoSteps": self._set_keep_alive,
            "SetVisibleToAllUsers": self._set_visible,
            "ModifyCluster": self._modify_cluster,
            "AddTags": self._add_tags,
            "RemoveTags": self._remove_tags,
            "DescribeCluster": self._describe_cluster,
            "ListClusters": self._list_clusters,
        }

    def _run_job_flow(self, parameters: Parameters) -> Parameters:
        rules.validate_run_job_flow(parameters, self._settings)
        self._security.validate_name(parameters.get("SecurityConfiguration"))
        cluster = Cluster(parameters, self._settings)
        self._clusters.create(cluster, self._faults.take_no_capacity())
        return {"JobFlowId": cluster.cluster_id, "ClusterArn": descriptions.format_arn(cluster)}

    def _terminate_job_flows(self, parameters: Parameters) -> Parameters:
        clusters = self._clusters.find_job_flows(parameters["JobFlowIds"])
        if any(cluster.termination_protected and cluster.state not in ENDING for cluster in clusters):
            raise ValidationError(
                "Could not shut down one or more job flows since they are termination protected."
            )
        for cluster in clusters:
            cluster.terminate(Ending("USER_REQUEST", "Terminated by user request"))
        return {}

    def _set_termination_protection(self, parameters: Parameters) -> Parameters:
        for cluster in self._live_job_flows(parameters):
            with cluster.changed:
                cluster.termination_protected = parameters["TerminationProtected"]
                cluster.changed.notify_all()
        return {}

    def _set_keep_alive(self, parameters: Parameters) -> Parameters:
        for cluster in self._live_job_flows(parameters):
            with cluster.changed:
                cluster.keep_alive = parameters["KeepJobFlowAliveWhenNoSteps"]
                cluster.changed.notify_all()
        return {}

    def _set_visible(self, parameters: Parameters) -> Parameters:
        for cluster in self._clusters.find_job_flows(parameters["JobFlowIds"]):
            cluster.visible = parameters["VisibleToAllUsers"]
        return {}

    def _modify_cluster(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        with cluster.changed:
            cluster.raise_if_ending(InvalidRequestError)
            level = parameters.get("StepConcurrencyLevel", cluster.step_concurrency)
            cluster.step_concurrency = rules.validate_step_concurrency(level, InvalidRequestError)
            cluster.changed.notify_all()
        return {"StepConcurrencyLevel": level, "ExtendedSupport": parameters.get("ExtendedSupport")}

    def _add_tags(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ResourceId"])
        added = rules.validate_tags(parameters["Tags"])
        with cluster.changed:
            rules.validate_tag_count(len(cluster.tags | added))
            cluster.tags |= added
        return {}

    def _remove_tags(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ResourceId"])
        with cluster.changed:
            for key in parameters["TagKeys"]:
                cluster.tags.pop(key, None)
        return {}

    def _describe_cluster(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        with cluster.changed:
            return {"Cluster": descriptions.describe_cluster(cluster)}

    def _list_clusters(self, parameters: Parameters) -> Parameters:
        after = _parse_timestamp(parameters.get("CreatedAfter"))
        before = _parse_timestamp(parameters.get("CreatedBefore"))
        states = parameters.get("ClusterStates")
        chosen, marker = paginate(
            self._clusters.list_newest_first(),
            parameters,
            self._settings.page_size,
            key=lambda cluster: cluster.cluster_id,
            matches=lambda cluster: (
                (not states or cluster.state in states)
                and (after is None or cluster.created >= after)
                and (before is None or cluster.created <= before)
            ),
        )
        return {"Clusters": [descriptions.summarise_cluster(cluster) for cluster in chosen], "Marker": marker}

    def _live_job_flows(self, parameters: Parameters) -> list[Cluster]:
        clusters = self._clusters.find_job_flows(parameters["JobFlowIds"])
        for cluster in clusters:
            cluster.raise_if_ending()
        return clusters


def _parse_timestamp(timestamp: float | str | None) -> float | None:
    return None if timestamp is None else parse_to_aware_datetime(timestamp).timestamp()
