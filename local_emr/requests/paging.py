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
    """The page of matching items that a Marker asks for, and the Marker of the next (None on the last).

    A Marker names the last item of its page, not a position: what is created meanwhile shifts nothing. It is
    looked for among all items, because a state may have changed since, so that its item matches no more.
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
