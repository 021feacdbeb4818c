"""Cells of the CSVs: what a spreadsheet would run as a formula has a ' in front. Standard library only.

https://owasp.org/www-community/attacks/CSV_Injection
"""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def escape_cell(text: str) -> str:
    """Return the cell of a text."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def unescape_cell(cell: str) -> str:
    """Return what a cell was made of. A text that itself begins with ' and one of these loses the '."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell
