"""The errors that EMR answers with: an HTTP status, a code and a message."""

from __future__ import annotations


class EmrError(Exception):
    """An error response; `code` is what boto3 shows as `Error.Code`."""

    status = 400
    code = "ValidationException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(EmrError):
    """Invalid, or refused by an older action (RunJobFlow, AddJobFlowSteps, TerminateJobFlows, Set…)."""


class InvalidRequestError(EmrError):
    """Refused by the newer actions (Describe…, List…, CancelSteps, tags)."""

    code = "InvalidRequestException"


class SerializationError(EmrError):
    """The body is not a JSON object."""

    code = "SerializationException"


class UnknownOperationError(EmrError):
    """X-Amz-Target names an action that EMR or the local EMR does not have."""

    code = "UnknownOperationException"


class RequestTooLargeError(EmrError):
    """The body is larger than the server reads."""

    status = 413
    code = "RequestEntityTooLargeException"


class ThrottlingError(EmrError):
    """Too many requests; boto3 retries."""

    code = "ThrottlingException"

    def __init__(self, message: str = "Rate exceeded") -> None:
        super().__init__(message)


class AccessDeniedError(EmrError):
    """Denied, as IAM would do."""

    code = "AccessDeniedException"


class MissingAuthenticationTokenError(EmrError):
    """The request is not signed."""

    status = 403
    code = "MissingAuthenticationTokenException"


class UnrecognizedClientError(EmrError):
    """The request is signed with an unknown access key."""

    status = 403
    code = "UnrecognizedClientException"


class InvalidSignatureError(EmrError):
    """The signature does not match the request."""

    status = 403
    code = "InvalidSignatureException"


class InternalServerError(EmrError):
    """An error inside the server; boto3 retries."""

    status = 500
    code = "InternalServerException"
