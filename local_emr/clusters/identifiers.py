"""Identifiers shaped like EMR's, and the clock."""

from __future__ import annotations

import secrets
import string
import time

_ALPHABET = string.ascii_uppercase + string.digits


def new_id(prefix: str) -> str:
    """`j-`, `s-`, `if-` or `ig-` and 13 capitals and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(13))


def now() -> float:
    """Seconds since 1970, to the millisecond, as EMR's timelines have it."""
    return round(time.time(), 3)
