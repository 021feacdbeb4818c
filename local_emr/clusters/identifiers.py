"""Identifiers shaped like EMR's, and the clock."""

from __future__ import annotations

import secrets
import string
import time
import uuid

_ALPHABET = string.ascii_uppercase + string.digits


def new_id(prefix: str) -> str:
    """`j-`, `s-`, `if-` or `ig-` and 13 capitals and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(13))


def new_instance_id() -> str:
    """`i-0` and 16 hexadecimal digits, as EC2's."""
    return "i-0" + secrets.token_hex(8)


def now() -> float:
    """Seconds since 1970, to the millisecond, as EMR's timelines have it."""
    return round(time.time(), 3)


def new_request_id() -> str:
    """What AWS stamps on every answer."""
    return str(uuid.uuid4())
