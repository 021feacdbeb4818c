"""Retries of requests to EMR: botocore's own for most, none for those that must not take effect twice."""

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
"""botocore's configuration for ``send_once``: the request must not be repeated behind our back."""

PAUSES = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds before each repetition. ListClusters and ListSteps may not show at once what was made."""

THROTTLED = frozenset({"ThrottlingException", "Throttling", "RequestLimitExceeded"})

LASTING_ERRORS = frozenset(
    {"AccessDeniedException", "AccessDenied", "InvalidRequestException", "ValidationException"}
)
"""What asking again cannot mend; all else (throttling, 5xx, a lost connection) passes."""


def send_once(send: Callable[[], str], find: Callable[[], str | None]) -> str:
    """Return the id of what ``send`` makes, though EMR has no client token for the request.

    Where EMR throttles, nothing was made: the request is repeated. After an error of EMR's own or a lost
    answer something may have been: ``find`` looks for it before the request is repeated.

    Raises:
        ClientError, BotoCoreError: what repeating does not mend, or has not after all of PAUSES.
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
    """Whether it does not say if the request took effect: 5xx, or no answer. An interruption is none."""
    if isinstance(error, ClientError):
        status: Any = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return bool(status >= 500 and not _is_throttled(error))
    return isinstance(error, HTTPClientError | ConnectionError) or not isinstance(error, BotoCoreError)


def is_lasting(error: ClientError | ParamValidationError) -> bool:
    """Whether asking again cannot mend it."""
    return isinstance(error, ParamValidationError) or error.response["Error"]["Code"] in LASTING_ERRORS


def _is_throttled(error: BaseException) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in THROTTLED
