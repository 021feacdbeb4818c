"""The actions of EMR that the local EMR has: each takes checked parameters and returns EMR's answer."""

from __future__ import annotations

from local_emr.errors import UnknownOperationError
from local_emr.execution.registry import Clusters
from local_emr.faults import FaultPlan
from local_emr.requests.cluster_actions import ClusterActions
from local_emr.requests.hardware_actions import HardwareActions
from local_emr.requests.protocol import Request
from local_emr.requests.step_actions import StepActions
from local_emr.service_model import Parameters
from local_emr.settings import Settings


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
