r"""Names of files, which are bytes, as paths, which are text, and back. Standard library only.

A byte that is not UTF-8 becomes ``\xff``, in its hexadecimal digits. So that no two names become the same
path, the backslash of a name that has these four characters itself becomes ``\x5c``: ``\xff.jpg`` is
``\x5cxff.jpg``. All other names stay as they are. Keys of S3 are text, and are never escaped.
"""

import os
import re

_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def to_path(name: str) -> str:
    """Return the path of a file's name as Python has it, with surrogates for what is not UTF-8."""
    literal = _ESCAPE.sub(lambda found: rf"\x5c{found[0][1:]}", name)
    return os.fsencode(literal).decode(errors="backslashreplace")


def to_name(path: str) -> str:
    """Return the name that ``to_path`` made a path of."""
    parts = _ESCAPE.split(path)
    texts, digits = parts[::2], parts[1::2]
    joined = os.fsencode(texts[0])
    for byte, text in zip(digits, texts[1:], strict=True):
        joined += bytes.fromhex(byte) + os.fsencode(text)
    return os.fsdecode(joined)


def to_line(name: str) -> str:
    """Return a name for a log: one printable line, whatever is in it."""
    path = to_path(name)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in path)
