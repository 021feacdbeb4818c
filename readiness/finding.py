"""The finding of a check: its outcome, what was found, and a remedy."""

from dataclasses import asdict, dataclass
from enum import StrEnum

LONGEST = 1000  # characters


class Outcome(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    """A nightly run would not start, or the lake would not be protected as Orchard promises."""
    SKIPPED = "skipped"
    """Unknown: the caller lacks a permission, or AWS cannot tell."""


@dataclass(frozen=True)
class Finding:
    """One row of the result. Texts are made printable, because names from AWS are untrusted.

    Args:
        check: Name of the check.
        remedy: What to do; '' if nothing.
    """

    check: str
    outcome: Outcome
    found: str
    remedy: str = ""

    def __post_init__(self) -> None:
        for name in ("check", "found", "remedy"):
            object.__setattr__(self, name, to_printable(getattr(self, name)))

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def passed(check: str, found: str) -> Finding:
    return Finding(check, Outcome.PASS, found)


def failed(check: str, found: str, remedy: str) -> Finding:
    return Finding(check, Outcome.FAIL, found, remedy)


def skipped(check: str, found: str, remedy: str = "") -> Finding:
    return Finding(check, Outcome.SKIPPED, found, remedy)


def to_printable(text: str) -> str:
    """Return a text as one line without control characters, truncated to LONGEST."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
