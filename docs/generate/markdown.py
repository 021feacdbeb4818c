"""Markdown from rows."""

import re
from collections.abc import Iterable, Sequence


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *(map(escape, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(cell: str) -> str:
    """Return a cell in which bars are no borders and, outside code, ``<`` begins no tag."""
    parts = re.split(r"(`[^`]*`)", cell.replace("|", "\\|"))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def format_code(text: object) -> str:
    return f"`{text}`"


def join_lines(text: str) -> str:
    """Return a docstring's paragraph as one line; its double backticks become Markdown's."""
    return " ".join(text.split()).replace("``", "`")
