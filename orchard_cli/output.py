"""What commands print: JSON for programs and tables for people on standard output, news on standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

REFUSED = 2
INTERRUPTED = 130


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))


def print_runs(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print what run.json says of one run, or of several side by side."""
    from rich.console import Console

    from orchard_cli.tables import show_runs

    if as_json:
        print_json(found[0] if len(found) == 1 else found)
    else:
        Console().print(show_runs(found))


def print_news(text: str) -> None:
    """Tell people something beside the result. Nothing in it is markup."""
    print(text, file=sys.stderr, flush=True)


def end(message: str, hint: str = "", code: int = REFUSED) -> int:
    """Say why the command ends: a line, and a line with a hint. Return the exit code."""
    print(f"orchard: {' '.join(message.split())}", file=sys.stderr)
    if hint:
        print(f"hint: {' '.join(hint.split())}", file=sys.stderr)
    return code
