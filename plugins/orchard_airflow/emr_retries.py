"""Retries of EMR requests: botocore's for most, ``send_once`` for those that must not take effect twice."""

import logging
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    ParamValidationError,
)

log = logging.getLogger(__name__)

ADAPTIVE_RETRIES: dict[str, Any] = {"retries": {"mode": "adaptive", "max_attempts": 10}}
"""botocore's configuration for most requests: it slows down when EMR throttles."""

NO_RETRIES: dict[str, Any] = {"retries": {"total_max_attempts": 1}}
"""botocore's configuration for ``send_once``: botocore must not repeat the request."""

PAUSES = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds before each retry. ListClusters and ListSteps may show new clusters and steps with a delay."""

THROTTLED = frozenset({"ThrottlingException", "Throttling", "RequestLimitExceeded"})

LASTING_ERRORS = frozenset(
    {"AccessDeniedException", "AccessDenied", "InvalidRequestException", "ValidationException"}
)
"""Errors that a retry cannot fix; all others (throttling, 5xx, a lost connection) are temporary."""


def send_once(send: Callable[[], str], find: Callable[[], str | None]) -> str:
    """Return the id of what ``send`` creates, exactly once, although EMR has no client token for the request.

    A throttled request had no effect and is repeated. After a server error or a lost response it may have had
    one, so ``find`` looks for its result before it is repeated.

    Raises:
        ClientError, BotoCoreError: an error that a retry cannot fix, or that persists after all PAUSES.
    """
    for pause in PAUSES:
        try:
            return send()
        except (ClientError, BotoCoreError) as error:
            if not _is_throttled(error) and not is_unanswered(error):
                raise
            log.warning("%s; trying again in %.0f s", error, pause)
            time.sleep(pause)
            if is_unanswered(error) and (found := find()):
                return found
    return send()


def is_unanswered(error: BaseException) -> bool:
    """Whether the error leaves open if the request took effect: 5xx, no response, or an interruption."""
    if isinstance(error, ClientError):
        status: Any = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return bool(status >= 500 and not _is_throttled(error))
    return isinstance(error, HTTPClientError | ConnectionError) or not isinstance(error, BotoCoreError)


def is_lasting(error: ClientError | ParamValidationError) -> bool:
    """Whether a retry cannot fix it."""
    return isinstance(error, ParamValidationError) or error.response["Error"]["Code"] in LASTING_ERRORS


def _is_throttled(error: BaseException) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in THROTTLED
