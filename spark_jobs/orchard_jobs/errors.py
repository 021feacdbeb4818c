"""The one kind of error that a user is meant to read. For any Python 3: checks before set-up need it too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_LINE = 1000  # characters


class OrchardError(Exception):
    """An error with a remedy, printed without a traceback.

    Args:
        received: What was given, with its value.
        rule: What is allowed instead.
        remedy: What to do next.

    Attributes:
        message: What was given and the rule, as a sentence.
        hint: The remedy, as a sentence; '' where the message has it.
    """

    message: str
    hint: str

    def __init__(self, received: str, *, rule: str, remedy: str) -> None:
        self.message, self.hint = f"{received}: {rule}.", f"{remedy[:1].upper()}{remedy[1:]}."
        super().__init__(f"{self.message} {self.hint}")

    @classmethod
    def of(cls, message: str, hint: str) -> OrchardError:
        """Return the error of a line and a hint, as another error has them."""
        error = cls.from_line(f"{message} {hint}".strip())
        error.message, error.hint = message, hint
        return error

    @classmethod
    def from_line(cls, line: str) -> OrchardError:
        """Return the error that another process has printed in one line."""
        error = cls.__new__(cls)
        Exception.__init__(error, line)
        error.message, error.hint = line, ""
        return error


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Name the place in an OSError that does not: a full disk says nothing of where it is."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, place) from error


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, printable and cut; its name where it says nothing."""
    line = str(error).partition("\n")[0].strip()[:LONGEST_LINE] or type(error).__name__
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
