r"""Escapes untrusted names and texts, and reads them back. Standard library only.

Both escapes are injective: no two names become the same path, and no two texts the same cell.

Paths
    A byte of a file's name that is not UTF-8 becomes ``\xff``, in its hexadecimal digits. The backslash of a
    name that has these four characters itself becomes ``\x5c``: ``\xff.jpg`` is ``\x5cxff.jpg``. All other
    names stay as they are. Keys of S3 are text, and are never escaped.

Cells
    What a spreadsheet would run as a formula has a ``'`` in front. A formula begins a cell with one of
    FORMULA_STARTS. A spreadsheet that takes ``;`` for the separator, or a tab, sees cells where we have none:
    so what follows one of these within a text counts as a beginning, too. A text in which there is a ``'``
    already gets one more. Cells are always quoted. https://owasp.org/www-community/attacks/CSV_Injection
"""

import os
import re

FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # the last four are full-width = + - @

_ESCAPED_BYTE = re.compile(r"\\x([0-9a-f]{2})")
_BEGINNING = r"(?:^|(?<=[;\t\r\n]))"
_FORMULA = rf"(?='*[{re.escape(FORMULA_STARTS)}])"
_FORMULA_BEGINNING = re.compile(_BEGINNING + _FORMULA)
_ESCAPED_FORMULA = re.compile(f"{_BEGINNING}'{_FORMULA}")


def to_path(name: str) -> str:
    """Escape a file name, which has surrogates for bytes that are not UTF-8, as a path."""
    literal = _ESCAPED_BYTE.sub(lambda found: rf"\x5c{found[0][1:]}", name)
    return os.fsencode(literal).decode(errors="backslashreplace")


def to_name(path: str) -> str:
    """Return the file name behind a path: the inverse of ``to_path``."""
    parts = _ESCAPED_BYTE.split(path)
    texts, digits = parts[::2], parts[1::2]
    joined = os.fsencode(texts[0])
    for byte, text in zip(digits, texts[1:], strict=True):
        joined += bytes.fromhex(byte) + os.fsencode(text)
    return os.fsdecode(joined)


def to_line(name: str) -> str:
    """Escape a name for a log, as one printable line."""
    path = to_path(name)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in path)


def escape_cell(text: str) -> str:
    """Escape a text as a cell."""
    return _FORMULA_BEGINNING.sub("'", text)


def unescape_cell(cell: str) -> str:
    """Return the text behind a cell: the inverse of ``escape_cell``."""
    return _ESCAPED_FORMULA.sub("", cell)
