"""What run.json says, as tables. Pure. Names are untrusted: nothing in them is markup."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

Run = Mapping[str, Any]

COLUMNS: dict[str, Callable[[Run], str]] = {
    "published": lambda run: run["published_at"][:16].replace("T", " "),
    "images": lambda run: f"{run['counts']['listed']:,}",
    "new": lambda run: f"{run['counts']['featurized']:,}",
    "rejected": lambda run: f"{run['counts']['rejected']:,}",
    "K": lambda run: str(run["components"]),
    "variance": lambda run: f"{run['variance_kept']:.1%}",
    "on": lambda run: str(run["cluster"].get("id") or "?"),
}

COMPARED: dict[str, Callable[[Run], str]] = {
    **COLUMNS,
    "images/s": lambda run: _number(run["images_per_second"]),
    "seconds": lambda run: _number(_seconds(run)),
    "rows": lambda run: f"{run['rows']:,}",
    "known": lambda run: f"{run['counts']['known']:,}",
    "deleted": lambda run: f"{run['counts']['deleted']:,}",
    "featurize s": lambda run: _number(run["seconds"].get("featurize")),
    "reduce s": lambda run: _number(run["seconds"].get("reduce")),
    "export s": lambda run: _number(run["seconds"].get("export")),
    "model": lambda run: run["model"]["id"],
    "weights": lambda run: str(run["weights"]),
    "precision": lambda run: str(run["precision"]),
    "basis": lambda run: f"{run['basis_id']} ({run['basis']})",
    "builds on": lambda run: str(run["builds_on"] or "nothing"),
    "from": lambda run: run["images"],
    "csv": lambda run: run["csv"],
}


def list_runs(runs: Iterable[Run]) -> Table:
    """One row a run."""
    table = Table("run", *COLUMNS, box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in table.columns[2:-1]:
        column.justify = "right"
    for run in runs:
        # The end of a name is its own: enough for `orchard show`, and short enough for a terminal.
        table.add_row(*map(Text, [run["run"][-8:], *(show(run) for show in COLUMNS.values())]))
    return table


def show_runs(runs: Iterable[Run]) -> Table:
    """One column a run; where two are compared, what differs stands out."""
    shown = list(runs)
    table = Table("", box=None, header_style="bold")
    for run in shown:
        table.add_column(Text(run["run"], overflow="fold"))
    for name, show in COMPARED.items():
        values = [show(run) for run in shown]
        style = "bold" if len(set(values)) > 1 else ""
        table.add_row(
            Text(name, style="dim"), *(Text(value, style=style, overflow="fold") for value in values)
        )
    return table


def _seconds(run: Run) -> float:
    return sum(value or 0.0 for value in run["seconds"].values())


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.1f}"
