"""Pages of a List… action, with Markers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from local_emr.errors import InvalidRequestError
from local_emr.service_model import Parameters

Item = TypeVar("Item")


def paginate(
    items: Sequence[Item],
    parameters: Parameters,
    size: int,
    key: Callable[[Item], str],
    matches: Callable[[Item], bool] = lambda _: True,
) -> tuple[Sequence[Item], str | None]:
    """Return the page of matching items for a Marker, and the Marker of the next page (None on the last).

    A Marker names the last item of its page, not a position, so that new items do not shift the pages. It is
    searched among all items, because the state of that item may have changed, so that it no longer matches.
    """
    start, marker = 0, parameters.get("Marker")
    if marker is not None:
        keys = [key(item) for item in items]
        try:
            start = keys.index(_decode(marker)) + 1
        except ValueError as error:
            raise InvalidRequestError(f"Marker {marker!r} is not valid.") from error
    left = [item for item in items[start:] if matches(item)]
    chosen = left[:size]
    return chosen, _encode(key(chosen[-1])) if len(left) > size else None


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode(marker: str) -> str:
    try:
        return base64.urlsafe_b64decode(marker.encode()).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(marker) from error
