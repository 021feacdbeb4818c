"""The error class for messages to users. Runs on any Python 3, because checks before set-up need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_LINE = 1000  # characters


class OrchardError(Exception):
    """An error with a remedy, printed without a traceback.

    Args:
        received: The input, with its value.
        rule: The rule that it breaks.
        remedy: What to do next.

    Attributes:
        message: The input and the rule, as a sentence.
        hint: The remedy, as a sentence; '' if it is part of the message.
        rule: The rule; '' if it is only known as a part of the message.
    """

    message: str
    hint: str
    rule: str = ""

    def __init__(self, received: str, *, rule: str, remedy: str) -> None:
        self.rule = rule
        self.message, self.hint = f"{received}: {rule}.", f"{remedy[:1].upper()}{remedy[1:]}."
        super().__init__(f"{self.message} {self.hint}")

    @classmethod
    def of(cls, message: str, hint: str) -> OrchardError:
        """Build an error from a message and a hint."""
        error = cls.from_line(f"{message} {hint}".strip())
        error.message, error.hint = message, hint
        return error

    @classmethod
    def from_line(cls, line: str) -> OrchardError:
        """Build an error from the line that another process has printed."""
        error = cls.__new__(cls)
        Exception.__init__(error, line)
        error.message, error.hint = line, ""
        return error


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Add a path to an OSError that lacks one, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, place) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, printable and truncated; its class name if it has none."""
    line = str(error).partition("\n")[0].strip()[:LONGEST_LINE] or type(error).__name__
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
