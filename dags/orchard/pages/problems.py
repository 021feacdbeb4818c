"""Answers where there is nothing to show, as pages that say why."""

import logging
from http import HTTPStatus

from fastapi import Request, Response

from orchard.pages.templates import render

log = logging.getLogger(__name__)


class Absent(Exception):  # noqa: N818 - no error: what was asked for is not there
    """Its text says what, and what to do."""


async def handle_absent(request: Request, error: Exception) -> Response:
    return _tell(request, HTTPStatus.NOT_FOUND, str(error))


async def handle_error(request: Request, error: Exception) -> Response:
    """What is wrong with the settings, or with the lake."""
    log.warning("%s: %s", request.url.path, error)
    return _tell(request, HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def handle_lake_error(request: Request, error: Exception) -> Response:
    """The lake did not answer, or not to us."""
    log.warning("%s: %s: %s", request.url.path, type(error).__name__, error)
    text = f"The lake cannot be read from Airflow's API server: {error}"
    return _tell(request, HTTPStatus.BAD_GATEWAY, text)


def _tell(request: Request, status: HTTPStatus, text: str) -> Response:
    return render(request, "problem.html", status, text=text, title=status.phrase)
