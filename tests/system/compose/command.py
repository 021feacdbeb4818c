"""Runs commands, and prints the progress of the test."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Found = TypeVar("Found")

STARTED = time.monotonic()


class FailedError(Exception):
    """A command or a check failed."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.0f} s] {text}", flush=True)


def run(*command: str, timeout: float | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command; return what it printed. Raises FailedError with the end of it."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
        env=env,
    )
    if done.returncode:
        raise FailedError(f"{' '.join(command)[:200]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def wait_for(look: Callable[[], Found | None], what: str, seconds: float) -> Found:
    """Call ``look`` until it finds something; return that."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise FailedError(f"{what}: not within {seconds:.0f} s")
        time.sleep(2.0)
    return found


def check(holds: bool, what: str) -> None:
    """Print that a check passed, or raise FailedError."""
    if not holds:
        raise FailedError(f"NOT SO: {what}")
    say(f"ok  {what}")
