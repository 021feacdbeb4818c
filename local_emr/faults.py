"""Injected faults that a client of EMR must survive. Set in-process, or over HTTP at `/_control/faults`.

A fault is a JSON object:

    {"action": "RunJobFlow", "kind": "throttle", "when": "before", "times": 2}

- `action`: an action of EMR, or "*" for all of them.
- `kind`: "throttle" (400 ThrottlingException), "access_denied" (400 AccessDeniedException), "internal" (500
  InternalServerException), "reset" (the connection is reset), "timeout" (no response for `seconds`, then a
  reset), "no_capacity" (for RunJobFlow: the cluster stays STARTING for `seconds`, or as long as its Spot
  specification says, and ends with errors).
- `when`: "before" the action takes effect (the default), or "after" it, unknown to the caller.
- `times`: how often; by default, until it is cleared.
- `seconds`: see "timeout" and "no_capacity".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from local_emr.errors import ThrottlingError
from local_emr.service_model import load_service_model

Kind = Literal["throttle", "access_denied", "internal", "reset", "timeout", "no_capacity"]
When = Literal["before", "after"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_WHENS: tuple[When, ...] = get_args(When)


@dataclass(frozen=True)
class Fault:
    """One fault; see the module's description."""

    kind: Kind
    action: str = "*"
    when: When = "before"
    times: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind is {self.kind!r}: it must be one of {', '.join(_KINDS)}")
        if self.when not in _WHENS:
            raise ValueError(f"when is {self.when!r}: it must be one of {', '.join(_WHENS)}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times is {self.times}: it must be at least 1")
        if self.seconds is not None and self.seconds < 0:
            raise ValueError(f"seconds is {self.seconds}: it must not be negative")
        if self.action != "*" and self.action not in load_service_model().operation_names:
            raise ValueError(f"action is {self.action!r}: it must be an action of EMR, or * for all")


class FaultPlan:
    """The active faults, and a limit on the rate of requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[tuple[Fault, int | None]] = []
        self._per_second: float | None = None
        self._burst = 1.0
        self._tokens = 1.0
        self._refilled = time.monotonic()

    def add(self, fault: Fault) -> None:
        """Add a fault. Faults for the same action strike in the order in which they were added."""
        with self._lock:
            self._faults.append((fault, fault.times))

    def clear(self) -> None:
        """Remove all faults and the rate limit."""
        with self._lock:
            self._faults.clear()
            self._per_second = None

    def limit_rate(self, per_second: float, burst: float = 1.0) -> None:
        """Throttle above this rate: a token bucket of `burst` requests, refilled at `per_second`."""
        if per_second <= 0 or burst < 1:
            raise ValueError(f"per_second is {per_second} and burst is {burst}: they must be > 0 and >= 1")
        with self._lock:
            self._per_second, self._burst, self._tokens = per_second, burst, burst
            self._refilled = time.monotonic()

    def take(self, action: str, when: When) -> Fault | None:
        """Return the fault that strikes now, if any, and count it down."""
        return self._take(action, lambda fault: fault.kind != "no_capacity" and fault.when == when)

    def take_no_capacity(self) -> Fault | None:
        """Return the no_capacity fault for the cluster that is being created, if any."""
        return self._take("RunJobFlow", lambda fault: fault.kind == "no_capacity")

    def check_rate(self) -> None:
        """Raise ThrottlingError if the limit is exceeded."""
        with self._lock:
            if self._per_second is None:
                return
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._refilled) * self._per_second)
            self._refilled = now
            if self._tokens < 1:
                raise ThrottlingError()
            self._tokens -= 1

    def describe(self) -> dict[str, Any]:
        """Return the active faults, with the number of strikes left."""
        with self._lock:
            faults = [{**asdict(fault), "times": left} for fault, left in self._faults]
            limit = {"per_second": self._per_second, "burst": self._burst}
            return {"faults": faults, "rate_limit": limit if self._per_second is not None else None}

    def _take(self, action: str, matches: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for index, (fault, left) in enumerate(self._faults):
                if fault.action in ("*", action) and matches(fault):
                    if left == 1:
                        del self._faults[index]
                    elif left is not None:
                        self._faults[index] = (fault, left - 1)
                    return fault
        return None
