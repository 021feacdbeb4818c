"""Actions on the policies of a cluster: auto-termination is honoured, managed scaling is only stored."""

from __future__ import annotations

from collections.abc import Callable

from local_emr.clusters.cluster import Cluster
from local_emr.errors import InvalidRequestError
from local_emr.execution.registry import ClusterRegistry
from local_emr.service_model import Parameters
from local_emr.validation import rules


class PolicyActions:
    """One method for each action; `actions` names them."""

    def __init__(self, clusters: ClusterRegistry) -> None:
        self._clusters = clusters
        self.actions: dict[str, Callable[[Parameters], Parameters]] = {
            "PutAutoTerminationPolicy": self._put_auto_termination_policy,
            "GetAutoTerminationPolicy": self._get_auto_termination_policy,
            "RemoveAutoTerminationPolicy": self._remove_auto_termination_policy,
            "PutManagedScalingPolicy": self._put_managed_scaling_policy,
            "GetManagedScalingPolicy": self._get_managed_scaling_policy,
            "RemoveManagedScalingPolicy": self._remove_managed_scaling_policy,
        }

    def _put_auto_termination_policy(self, parameters: Parameters) -> Parameters:
        timeout = rules.validate_auto_termination(parameters.get("AutoTerminationPolicy", {}))
        self._set_idle_timeout(self._clusters.find(parameters["ClusterId"]), timeout)
        return {}

    def _remove_auto_termination_policy(self, parameters: Parameters) -> Parameters:
        self._set_idle_timeout(self._clusters.find(parameters["ClusterId"]), None)
        return {}

    def _get_auto_termination_policy(self, parameters: Parameters) -> Parameters:
        timeout = self._clusters.find(parameters["ClusterId"]).idle_timeout
        return {} if timeout is None else {"AutoTerminationPolicy": {"IdleTimeout": timeout}}

    def _put_managed_scaling_policy(self, parameters: Parameters) -> Parameters:
        policy = rules.validate_managed_scaling(parameters["ManagedScalingPolicy"])
        self._set_managed_scaling(self._clusters.find(parameters["ClusterId"]), policy)
        return {}

    def _remove_managed_scaling_policy(self, parameters: Parameters) -> Parameters:
        self._set_managed_scaling(self._clusters.find(parameters["ClusterId"]), None)
        return {}

    def _get_managed_scaling_policy(self, parameters: Parameters) -> Parameters:
        return {"ManagedScalingPolicy": self._clusters.find(parameters["ClusterId"]).managed_scaling}

    @staticmethod
    def _set_idle_timeout(cluster: Cluster, timeout: int | None) -> None:
        with cluster.changed:
            cluster.raise_if_ending(InvalidRequestError)
            cluster.idle_timeout = timeout
            cluster.changed.notify_all()

    @staticmethod
    def _set_managed_scaling(cluster: Cluster, policy: Parameters | None) -> None:
        with cluster.changed:
            cluster.raise_if_ending(InvalidRequestError)
            cluster.managed_scaling = policy
