"""EMR's wire protocol, AWS JSON 1.1. Requests and responses are validated against botocore's service model.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from local_emr.errors import (
    EmrError,
    InternalServerError,
    SerializationError,
    UnknownOperationError,
    ValidationError,
)
from local_emr.service_model import Parameters, load_service_model
from local_emr.validation.constraints import find_violations

CONTENT_TYPE = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Request:
    """A request that matches the service model."""

    action: str
    parameters: Parameters


def find_operation(target: str | None) -> OperationModel:
    """Return the action that an X-Amz-Target header names."""
    prefix = load_service_model().metadata["targetPrefix"] + "."
    action = (target or "").removeprefix(prefix)
    if not (target or "").startswith(prefix) or action not in load_service_model().operation_names:
        raise UnknownOperationError(f"X-Amz-Target is {target!r}: it must be {prefix}<an action of EMR>")
    return load_service_model().operation_model(action)


def decode_request(target: str | None, body: bytes) -> Request:
    """Parse and validate a request. Raises an EmrError with all violations."""
    operation = find_operation(target)
    parameters = _parse_object(body)
    if operation.input_shape is not None:
        problems = _find_problems(parameters, operation.input_shape)
        if problems:
            noun = "error" if len(problems) == 1 else "errors"
            raise ValidationError(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")
    return Request(operation.name, parameters)


def encode_result(action: str, result: Parameters) -> bytes:
    """Encode a response. One that does not match the service model is an internal error."""
    answer: Parameters = _without_nulls(result)
    shape = load_service_model().operation_model(action).output_shape
    problems = _find_problems(answer, shape) if shape is not None else []
    if problems:
        raise InternalServerError(
            f"the local EMR's response to {action} does not match the service model: {problems}"
        )
    return json.dumps(answer).encode()


def encode_error(error: EmrError) -> bytes:
    """Encode the body of an error response."""
    return json.dumps({"__type": error.code, "message": error.message}).encode()


def _parse_object(body: bytes) -> Parameters:
    try:
        value = _without_nulls(json.loads(body or b"{}", parse_constant=_reject_constant))
    except (ValueError, RecursionError) as error:
        raise SerializationError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise SerializationError(f"the body is a JSON {type(value).__name__}: it must be an object")
    return value


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _without_nulls(value: Any) -> Any:
    """Remove null members, which count as absent in AWS JSON."""
    if isinstance(value, dict):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(member) for member in value]
    return value


def _find_problems(value: Parameters, shape: Shape) -> list[str]:
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return str(report.generate_report()).splitlines()
    return list(find_violations(value, shape))
