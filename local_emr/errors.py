"""The errors that EMR answers with: an HTTP status, a code and a message."""

from __future__ import annotations


class EmrError(Exception):
    """An answer that is an error; `code` is what boto3 shows as `Error.Code`."""

    status = 400
    code = "ValidationException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(EmrError):
    """Refused for its shape, or by an older action (RunJobFlow, AddJobFlowSteps, TerminateJobFlows, Set…)."""


class InvalidRequestError(EmrError):
    """Refused by the newer actions (Describe…, List…, CancelSteps, tags)."""

    code = "InvalidRequestException"


class SerializationError(EmrError):
    """The body is not a JSON object."""

    code = "SerializationException"


class UnknownOperationError(EmrError):
    """X-Amz-Target names no action of EMR, or one that the local EMR does not have."""

    code = "UnknownOperationException"


class RequestTooLargeError(EmrError):
    """The body is larger than the server reads."""

    status = 413
    code = "RequestEntityTooLargeException"


class ThrottlingError(EmrError):
    """EMR's answer to too many requests; boto3 retries it by itself."""

    code = "ThrottlingException"

    def __init__(self, message: str = "Rate exceeded") -> None:
        super().__init__(message)


class AccessDeniedError(EmrError):
    """What IAM would say."""

    code = "AccessDeniedException"


class MissingAuthenticationTokenError(EmrError):
    """The request is not signed."""

    status = 403
    code = "MissingAuthenticationTokenException"


class UnrecognizedClientError(EmrError):
    """The request is signed with an access key that is not known."""

    status = 403
    code = "UnrecognizedClientException"


class InvalidSignatureError(EmrError):
    """The signature is not that of the request."""

    status = 403
    code = "InvalidSignatureException"


class InternalServerError(EmrError):
    """A fault of the server's own; boto3 retries it by itself."""

    status = 500
    code = "InternalServerException"
