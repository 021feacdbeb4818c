"""Format numbers, times and names for people. Pure; templates do the escaping."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def shorten(text: str, limit: int) -> str:
    """Return ``text``, with its middle left out if it is longer than ``limit`` characters."""
    if len(text) <= limit:
        return text
    end = limit * 2 // 3
    return f"{text[: limit - end - 1]}…{text[-end:]}"


def count(number: int | None) -> str:
    """10332 → ``10,332``."""
    return "–" if number is None else f"{number:,}"


def percent(share: float, digits: int = 1) -> str:
    """0.5684 → ``56.8 %``, with a no-break space."""
    return f"{share * 100:.{digits}f}\u00a0%"


def duration(seconds: float | None) -> str:
    """97.3 → ``1 min 37 s``."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    total = round(seconds)
    hours, minutes, rest = total // 3600, total // 60 % 60, total % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(text: str | None) -> str:
    """ISO 8601 → ``22 November 2026, 09:15 UTC``."""
    if not text:
        return "–"
    then = datetime.fromisoformat(text)
    return f"{then.day} {then:%B %Y, %H:%M} UTC"


def plural(number: int, noun: str) -> str:
    """1 image, 2 images."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def cost(value: Any) -> str | None:
    """Return the ``dollars`` of run.json's ``cost``; None if it has none, or they are unknown."""
    dollars = value.get("dollars") if isinstance(value, Mapping) else None
    return None if dollars is None else f"${dollars:,.2f}"


def rounded(value: float) -> float:
    """Round to four significant digits, which is more precise than a pixel."""
    return float(f"{value:.4g}")
