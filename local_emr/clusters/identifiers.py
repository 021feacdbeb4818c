"""Identifiers in EMR's format, and the clock."""

from __future__ import annotations

import secrets
import string
import time

_ALPHABET = string.ascii_uppercase + string.digits


def new_id(prefix: str) -> str:
    """Return `j-`, `s-`, `if-` or `ig-` and 13 capitals and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(13))


def now() -> float:
    """Return the seconds since 1970 to the millisecond, as in EMR's timelines."""
    return round(time.time(), 3)
