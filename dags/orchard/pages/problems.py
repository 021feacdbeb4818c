"""Error pages."""

import logging
from http import HTTPStatus

from fastapi import Request, Response

from orchard.pages.templates import render

log = logging.getLogger(__name__)


class Absent(Exception):  # noqa: N818 - like a 404, not a failure
    """The requested page does not exist. Its text says what is missing, and what to do."""


async def handle_absent(request: Request, error: Exception) -> Response:
    return _render(request, HTTPStatus.NOT_FOUND, str(error))


async def handle_error(request: Request, error: Exception) -> Response:
    """Show an error in the settings or the lake."""
    log.warning("%s: %s", request.url.path, error)
    return _render(request, HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def handle_lake_error(request: Request, error: Exception) -> Response:
    """Show that the lake cannot be reached, or denies access."""
    log.warning("%s: %s: %s", request.url.path, type(error).__name__, error)
    text = f"The lake cannot be read from the API server: {error}"
    return _render(request, HTTPStatus.BAD_GATEWAY, text)


def _render(request: Request, status: HTTPStatus, text: str) -> Response:
    return render(request, "problem.html", status, text=text, title=status.phrase)
