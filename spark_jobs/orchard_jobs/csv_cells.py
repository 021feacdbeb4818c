"""Text cells of the CSVs: what a spreadsheet would run as a formula has a ' in front. Standard library only.

A formula begins a cell with one of STARTS. A spreadsheet that takes ``;`` for the separator, or a tab, sees
cells where we have none: so what follows one of these within a text counts as a beginning, too. A text in
which there is a ' already gets one more, so that every cell is one text's alone. Cells are always quoted.

https://owasp.org/www-community/attacks/CSV_Injection
"""

import re

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # the last four are full-width = + - @
_BEGINNING = r"(?:^|(?<=[;\t\r\n]))"
_FORMULA = rf"(?='*[{re.escape(STARTS)}])"
_TO_ESCAPE = re.compile(_BEGINNING + _FORMULA)
_ESCAPED = re.compile(f"{_BEGINNING}'{_FORMULA}")


def escape_cell(text: str) -> str:
    """Return the cell of a text."""
    return _TO_ESCAPE.sub("'", text)


def unescape_cell(cell: str) -> str:
    """Return the text that a cell was made of."""
    return _ESCAPED.sub("", cell)
