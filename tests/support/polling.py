"""Waits for conditions, never for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_INTERVAL = 0.05  # seconds
PATIENCE = 400.0  # seconds: long enough for a busy machine, because no test is about time


def wait_for(look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Call a function until its result is true; return that result.

    Raises:
        AssertionError: if that takes too long; the message has ``what``.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(LOOK_INTERVAL)
