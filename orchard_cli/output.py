"""What commands print: JSON for programs and tables for people on standard output, news on standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchard_jobs.errors import OrchardError

if TYPE_CHECKING:
    from rich.table import Table

REFUSED = 2
INTERRUPTED = 130


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))


def print_runs(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print what run.json says of one run, or of several side by side."""
    from orchard_cli.tables import show_runs

    if as_json:
        print_json(found[0] if len(found) == 1 else found)
    else:
        print_table(show_runs(found))


def print_table(table: "Table") -> None:
    """Print a table as wide as what is in it: a path that is wrapped cannot be copied."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    whole = console.options.update(max_width=10_000)
    console.width = max(console.width, Measurement.get(console, whole, table).maximum)
    console.print(table)


def print_news(text: str) -> None:
    """Tell people something beside the result. Nothing in it is markup."""
    print(text, file=sys.stderr, flush=True)


def confirm(
    text: str,
    *,
    yes: bool,
    rule: str = "results are replaced by others only where that is confirmed",
    remedy: str = "give --yes, or the model and the settings of before",
) -> None:
    """Tell what is about to happen, and ask; where nobody can be asked, ``yes`` must have been said.

    Raises:
        OrchardError: where it has not, or somebody says no.
    """
    import typer

    if yes:
        print_news(text)
        return
    is_asked = sys.stdin.isatty()
    if not is_asked or not typer.confirm(f"{text}\nGo on?", err=True):
        raise OrchardError(
            "nothing was done" if is_asked else text.rstrip("."),
            rule=rule,
            remedy=remedy,
        )


def end(message: str, hint: str = "", code: int = REFUSED) -> int:
    """Say why the command ends: a line, and a line with a hint. Return the exit code."""
    print(f"orchard: {' '.join(message.split())}", file=sys.stderr)
    if hint:
        print(f"hint: {' '.join(hint.split())}", file=sys.stderr)
    return code
