"""The actions of EMR that the local EMR has: each takes checked parameters and returns EMR's answer."""

from __future__ import annotations

from local.emr.cluster_actions import ClusterActions
from local.emr.clusters import Clusters
from local.emr.errors import UnknownOperationError
from local.emr.faults import FaultPlan
from local.emr.hardware_actions import HardwareActions
from local.emr.protocol import Parameters, Request
from local.emr.settings import Settings
from local.emr.step_actions import StepActions


class Api:
    """Finds the action that a request names."""

    def __init__(self, settings: Settings, clusters: Clusters, faults: FaultPlan) -> None:
        self._actions = {
            **ClusterActions(settings, clusters, faults).actions,
            **StepActions(settings, clusters).actions,
            **HardwareActions(settings, clusters).actions,
        }

    def answer(self, request: Request) -> Parameters:
        """Do what is asked. Raises EmrError where EMR would refuse."""
        action = self._actions.get(request.action)
        if action is None:
            names = ", ".join(sorted(self._actions))
            raise UnknownOperationError(f"the local EMR does not have {request.action}: it has {names}")
        return action(request.parameters)
