"""Waiting for what can be looked at, never for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_INTERVAL = 0.05  # seconds
PATIENCE = 400.0  # seconds: a machine may be busy, and how long it takes is not what is tested


def wait_for(look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Return the first result that is not false.

    Raises:
        AssertionError: says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(LOOK_INTERVAL)
