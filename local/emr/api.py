"""The actions of EMR that the local EMR has: each takes checked parameters and returns EMR's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from botocore.utils import parse_to_aware_datetime

from local.emr import descriptions, rules
from local.emr.cluster import ENDING, Cluster, Ending
from local.emr.clusters import Clusters
from local.emr.errors import EmrError, InvalidRequestError, UnknownOperationError, ValidationError
from local.emr.faults import FaultPlan
from local.emr.paging import page
from local.emr.protocol import Parameters, Request
from local.emr.settings import Settings
from local.emr.step import Step

_MAX_JOB_FLOW_IDS = 10
_MAX_STEP_IDS = 10
_MAX_CANCELLED = 256


class Api:
    """One method for each action; `answer` finds it."""

    def __init__(self, settings: Settings, clusters: Clusters, faults: FaultPlan) -> None:
        self._settings = settings
        self._clusters = clusters
        self._faults = faults
        self._actions: dict[str, Callable[[Parameters], Parameters]] = {
            "RunJobFlow": self._run_job_flow,
            "TerminateJobFlows": self._terminate_job_flows,
            "SetTerminationProtection": self._set_termination_protection,
            "SetKeepJobFlowAliveWhenNoSteps": self._set_keep_alive,
            "SetVisibleToAllUsers": self._set_visible,
            "AddJobFlowSteps": self._add_job_flow_steps,
            "CancelSteps": self._cancel_steps,
            "ModifyCluster": self._modify_cluster,
            "PutAutoTerminationPolicy": self._put_auto_termination_policy,
            "GetAutoTerminationPolicy": self._get_auto_termination_policy,
            "RemoveAutoTerminationPolicy": self._remove_auto_termination_policy,
            "AddTags": self._add_tags,
            "RemoveTags": self._remove_tags,
            "DescribeCluster": self._describe_cluster,
            "DescribeStep": self._describe_step,
            "ListClusters": self._list_clusters,
            "ListSteps": self._list_steps,
            "ListBootstrapActions": self._list_bootstrap_actions,
            "ListInstances": self._list_instances,
            "ListInstanceFleets": self._list_instance_fleets,
            "ListInstanceGroups": self._list_instance_groups,
        }

    def answer(self, request: Request) -> Parameters:
        """Do what is asked. Raises EmrError where EMR would refuse."""
        action = self._actions.get(request.action)
        if action is None:
            raise UnknownOperationError(
                f"the local EMR does not have {request.action}; it has {sorted(self._actions)}"
            )
        return action(request.parameters)

    # Clusters

    def _run_job_flow(self, asked: Parameters) -> Parameters:
        rules.check_run_job_flow(asked)
        cluster = Cluster(asked, self._settings)
        self._clusters.create(cluster, self._faults.take_no_capacity())
        return {"JobFlowId": cluster.cluster_id, "ClusterArn": descriptions.arn_of(cluster)}

    def _terminate_job_flows(self, asked: Parameters) -> Parameters:
        clusters = self._job_flows(asked)
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
        for cluster in self._job_flows(asked):
            cluster.visible = asked["VisibleToAllUsers"]
        return {}

    def _modify_cluster(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
        level = rules.check_step_concurrency(asked.get("StepConcurrencyLevel", 1), InvalidRequestError)
        with cluster.changed:
            _refuse_if_ending(cluster)
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
        cluster = self._cluster(asked["ClusterId"])
        with cluster.changed:
            _refuse_if_ending(cluster)
            cluster.idle_timeout = timeout
            cluster.changed.notify_all()

    def _get_auto_termination_policy(self, asked: Parameters) -> Parameters:
        timeout = self._cluster(asked["ClusterId"]).idle_timeout
        return {} if timeout is None else {"AutoTerminationPolicy": {"IdleTimeout": timeout}}

    def _add_tags(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ResourceId"])
        added = rules.check_tags(asked["Tags"])
        with cluster.changed:
            rules.check_tag_count(len(cluster.tags | added))
            cluster.tags |= added
        return {}

    def _remove_tags(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ResourceId"])
        with cluster.changed:
            for key in asked["TagKeys"]:
                cluster.tags.pop(key, None)
        return {}

    def _describe_cluster(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
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

    # Steps

    def _add_job_flow_steps(self, asked: Parameters) -> Parameters:
        cluster = self._job_flow(asked["JobFlowId"])
        return {"StepIds": cluster.add_steps(asked["Steps"], asked.get("ExecutionRoleArn"))}

    def _cancel_steps(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
        step_ids = asked["StepIds"]
        if len(step_ids) > _MAX_CANCELLED:
            raise InvalidRequestError(
                f"{len(step_ids)} steps: at most {_MAX_CANCELLED} can be cancelled at once."
            )
        at_once = asked.get("StepCancellationOption") == "TERMINATE_PROCESS"
        steps = [_find_step(cluster, step_id) for step_id in step_ids]
        return {"CancelStepsInfoList": [_cancel(cluster, step, at_once) for step in steps]}

    def _describe_step(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
        with cluster.changed:
            return {"Step": descriptions.describe_step(_find_step(cluster, asked["StepId"]))}

    def _list_steps(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
        step_ids, states = asked.get("StepIds"), asked.get("StepStates")
        if step_ids and len(step_ids) > _MAX_STEP_IDS:
            raise InvalidRequestError(f"{len(step_ids)} StepIds: at most {_MAX_STEP_IDS} are allowed.")
        with cluster.changed:
            steps = [
                step
                for step in reversed(cluster.steps)
                if (not step_ids or step.step_id in step_ids) and (not states or step.state in states)
            ]
            chosen, marker = page(steps, asked.get("Marker"), self._settings.page_size, lambda s: s.step_id)
            return {
                "Steps": [descriptions.summarise_step(step) for step in chosen],
                "Marker": marker,
            }

    # What a cluster is made of

    def _list_bootstrap_actions(self, asked: Parameters) -> Parameters:
        actions = list(enumerate(self._cluster(asked["ClusterId"]).request.get("BootstrapActions", [])))
        chosen, marker = page(
            actions, asked.get("Marker"), self._settings.page_size, lambda item: str(item[0])
        )
        described = [
            {
                "Name": action["Name"],
                "ScriptPath": action["ScriptBootstrapAction"]["Path"],
                "Args": action["ScriptBootstrapAction"].get("Args", []),
            }
            for _, action in chosen
        ]
        return {"BootstrapActions": described, "Marker": marker}

    def _list_instances(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
        roles = {*asked.get("InstanceGroupTypes", []), *_given(asked, "InstanceFleetType")}
        ids = _given(asked, "InstanceFleetId", "InstanceGroupId")
        states = asked.get("InstanceStates")
        instances = [
            (collection, instance)
            for collection in cluster.hardware.collections
            if (not roles or collection.role in roles) and (not ids or collection.collection_id in ids)
            for instance in collection.instances
            if not states or descriptions.instance_state(cluster) in states
        ]
        size = self._settings.page_size
        chosen, marker = page(instances, asked.get("Marker"), size, lambda item: item[1].instance_id)
        return {
            "Instances": [descriptions.describe_instance(cluster, *item) for item in chosen],
            "Marker": marker,
        }

    def _list_instance_fleets(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
        if cluster.hardware.kind != "INSTANCE_FLEET":
            raise InvalidRequestError(
                "Instance groups and instance fleets are mutually exclusive: this has groups."
            )
        size = self._settings.page_size
        chosen, marker = page(
            cluster.hardware.collections, asked.get("Marker"), size, lambda c: c.collection_id
        )
        return {
            "InstanceFleets": [descriptions.describe_fleet(cluster, fleet) for fleet in chosen],
            "Marker": marker,
        }

    def _list_instance_groups(self, asked: Parameters) -> Parameters:
        cluster = self._cluster(asked["ClusterId"])
        if cluster.hardware.kind != "INSTANCE_GROUP":
            raise InvalidRequestError(
                "Instance groups and instance fleets are mutually exclusive: this has fleets."
            )
        size = self._settings.page_size
        chosen, marker = page(
            cluster.hardware.collections, asked.get("Marker"), size, lambda c: c.collection_id
        )
        return {
            "InstanceGroups": [descriptions.describe_group(cluster, group) for group in chosen],
            "Marker": marker,
        }

    # Finding clusters, in the words of the newer and of the older actions

    def _cluster(self, cluster_id: str) -> Cluster:
        cluster = self._clusters.get(cluster_id)
        if cluster is None:
            raise InvalidRequestError(f"Cluster id '{cluster_id}' is not valid.")
        return cluster

    def _job_flow(self, job_flow_id: str) -> Cluster:
        cluster = self._clusters.get(job_flow_id)
        if cluster is None:
            raise ValidationError("Specified job flow ID does not exist.")
        return cluster

    def _job_flows(self, asked: Parameters) -> list[Cluster]:
        ids: Iterable[str] = asked["JobFlowIds"]
        if len(set(ids)) > _MAX_JOB_FLOW_IDS:
            raise ValidationError(f"At most {_MAX_JOB_FLOW_IDS} job flows are allowed in one request.")
        return [self._job_flow(job_flow_id) for job_flow_id in ids]

    def _live_job_flows(self, asked: Parameters) -> list[Cluster]:
        clusters = self._job_flows(asked)
        for cluster in clusters:
            _refuse_if_ending(cluster, ValidationError)
        return clusters


def _refuse_if_ending(cluster: Cluster, error: type[EmrError] = InvalidRequestError) -> None:
    if cluster.state in ENDING:
        raise error("A job flow that is shutting down, terminated, or finished may not be modified.")


def _find_step(cluster: Cluster, step_id: str) -> Step:
    for step in cluster.steps:
        if step.step_id == step_id:
            return step
    raise InvalidRequestError(f"Step id '{step_id}' is not valid.")


def _cancel(cluster: Cluster, step: Step, at_once: bool) -> Parameters:
    if cluster.cancel_step(step, at_once):
        return {"StepId": step.step_id, "Status": "SUBMITTED"}
    return {
        "StepId": step.step_id,
        "Status": "FAILED",
        "Reason": f"Step is {step.state}: it cannot be cancelled.",
    }


def _given(asked: Parameters, *names: str) -> set[str]:
    return {asked[name] for name in names if name in asked}


def _seconds(timestamp: float | str | None) -> float | None:
    return None if timestamp is None else parse_to_aware_datetime(timestamp).timestamp()
