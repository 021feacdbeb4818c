"""Numbers, times and names as people read them. Pure; nothing here escapes, the template does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def shorten(text: str, limit: int) -> str:
    """Return ``text`` with its middle left out where it is longer than ``limit`` characters."""
    if len(text) <= limit:
        return text
    end = limit * 2 // 3
    return f"{text[: limit - end - 1]}…{text[-end:]}"


def count(number: int | None) -> str:
    """10332 → ``10,332``."""
    return "–" if number is None else f"{number:,}"


def percent(share: float, digits: int = 1) -> str:
    """0.5684 → ``56.8 %``, which no line break divides."""
    return f"{share * 100:.{digits}f}\u00a0%"


def duration(seconds: float | None) -> str:
    """97.3 → ``1 min 37 s``."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
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
    """Return the ``dollars`` of run.json's ``cost``, None where it has none or they are not known."""
    dollars = value.get("dollars") if isinstance(value, Mapping) else None
    return None if dollars is None else f"${dollars:,.2f}"


def rounded(value: float) -> float:
    """Four digits: more than a pixel shows."""
    return float(f"{value:.4g}")
