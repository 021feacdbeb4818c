"""Output of commands: results on standard output, as JSON or as tables; notices on standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from orchard_jobs.errors import OrchardError

if TYPE_CHECKING:
    from rich.table import Table

REFUSED = 2
INTERRUPTED = 130


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))


def print_runs(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print the run.json of one run, or of several side by side."""
    from orchard_cli.tables import show_runs

    if as_json:
        print_json(found[0] if len(found) == 1 else found)
    else:
        print_table(show_runs(found))


def print_table(table: "Table") -> None:
    """Print a table as wide as its content: a wrapped path cannot be copied."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    unwrapped = console.options.update(max_width=10_000)
    console.width = max(console.width, Measurement.get(console, unwrapped, table).maximum)
    console.print(table)


def print_news(text: str) -> None:
    """Print a message on standard error, without interpreting markup."""
    print(text, file=sys.stderr, flush=True)


def confirm(
    text: str,
    *,
    yes: bool,
    rule: str = "replacing results requires confirmation",
    remedy: str = "add --yes, or use the previous model and settings",
) -> None:
    """Announce what is about to happen and ask for confirmation; without a terminal, ``yes`` is required.

    Raises:
        OrchardError: if it is not confirmed.
    """
    import typer

    if yes:
        print_news(text)
        return
    is_terminal = sys.stdin.isatty()
    if not is_terminal or not typer.confirm(f"{text}\nContinue?", err=True):
        raise OrchardError(
            "nothing was done" if is_terminal else text.rstrip("."),
            rule=rule,
            remedy=remedy,
        )


def end(message: str, hint: str = "", code: int = REFUSED) -> int:
    """Print an error line and a hint line; return the exit code."""
    print(f"orchard: {' '.join(message.split())}", file=sys.stderr)
    if hint:
        print(f"hint: {' '.join(hint.split())}", file=sys.stderr)
    return code


def find_version() -> str:
    """Return the version of the installed command."""
    try:
        return version("orchard")
    except PackageNotFoundError:
        return "(not installed: run `make setup`)"
