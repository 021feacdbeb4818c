"""EMR's API: turns the bytes of a request into those of its response, or raises an injected fault."""

from __future__ import annotations

import logging
import time

from local_emr.errors import (
    AccessDeniedError,
    InternalServerError,
    ThrottlingError,
    UnknownOperationError,
)
from local_emr.execution.registry import ClusterRegistry
from local_emr.faults import Fault, FaultPlan, When
from local_emr.requests.cluster_actions import ClusterActions
from local_emr.requests.hardware_actions import HardwareActions
from local_emr.requests.policy_actions import PolicyActions
from local_emr.requests.protocol import Request, decode_request, encode_result
from local_emr.requests.security_actions import SecurityActions
from local_emr.requests.step_actions import StepActions
from local_emr.service_model import Parameters
from local_emr.settings import Settings

_LOGGER = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 75.0  # longer than boto3's timeout of 60 s


class DroppedError(Exception):
    """The connection must be reset instead of sending a response."""


class Api:
    """Decodes a request, performs its action and encodes the response."""

    def __init__(self, settings: Settings, clusters: ClusterRegistry, faults: FaultPlan) -> None:
        self._faults = faults
        security = SecurityActions(settings)
        self._actions = {
            **ClusterActions(settings, clusters, security, faults).actions,
            **PolicyActions(clusters).actions,
            **security.actions,
            **StepActions(settings, clusters).actions,
            **HardwareActions(settings, clusters).actions,
        }

    def answer(self, target: str | None, body: bytes) -> bytes:
        """Perform the action of a request.

        Raises EmrError if EMR would refuse, DroppedError if a fault suppresses the response.
        """
        self._faults.check_rate()
        action = (target or "").rpartition(".")[2]
        self._raise_fault(action, "before")
        request = decode_request(target, body)
        result = encode_result(request.action, self._perform(request))
        self._raise_fault(action, "after")
        return result

    def _perform(self, request: Request) -> Parameters:
        action = self._actions.get(request.action)
        if action is None:
            names = ", ".join(sorted(self._actions))
            raise UnknownOperationError(f"the local EMR does not have {request.action}: it has {names}")
        return action(request.parameters)

    def _raise_fault(self, action: str, when: When) -> None:
        fault = self._faults.take(action, when)
        if fault is not None:
            _LOGGER.info("fault: %s", fault)
            raise _build_error(fault, action)


def _build_error(fault: Fault, action: str) -> Exception:
    if fault.kind == "throttle":
        return ThrottlingError()
    if fault.kind == "access_denied":
        return AccessDeniedError(f"User is not authorized to perform: elasticmapreduce:{action}")
    if fault.kind == "internal":
        return InternalServerError("An internal error occurred.")
    if fault.kind == "timeout":
        time.sleep(_TIMEOUT_SECONDS if fault.seconds is None else fault.seconds)
    return DroppedError()
