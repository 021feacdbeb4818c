"""What a check has found: an outcome, what was there, and what to do."""

from dataclasses import asdict, dataclass
from enum import StrEnum

LONGEST = 1000  # characters


class Outcome(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    """A night would not start, or not keep what Orchard promises of the lake."""
    SKIPPED = "skipped"
    """Not known: whoever asks may not see it, or it cannot be asked."""


@dataclass(frozen=True)
class Finding:
    """One row of the answer. Much of it comes from AWS, where others choose names: it is made printable.

    Args:
        check: What was looked at.
        remedy: What to do; '' where nothing is to be done.
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
    """Return a text in one line, without what a terminal obeys, and cut where it is very long."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
