"""Runs and preflight findings as tables for a terminal. Pure.

Names are untrusted: they are never interpreted as markup.
"""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from canary.phases import Phase
from orchard.report.run_figures import COMPARED, LISTED, Run, show
from readiness.finding import Finding, Outcome

COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.SKIPPED: "yellow"}


def list_runs(runs: Iterable[Run]) -> Table:
    """Build a table with one row per run."""
    table = Table("run", *LISTED, box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in table.columns[2:-1]:
        column.justify = "right"
    for run in runs:
        # The last characters of a name identify the run, and leave room for the figures.
        figures = (show(figure, run) for figure in LISTED.values())
        table.add_row(*map(Text, [run["run"][-8:], *figures]))
    return table


def show_runs(runs: Iterable[Run]) -> Table:
    """Build a table with one column per run; differing values are bold."""
    shown = list(runs)
    table = Table("", box=None, header_style="bold")
    for run in shown:
        table.add_column(Text(run["run"], overflow="fold"))
    for name, figure in COMPARED.items():
        values = [show(figure, run) for run in shown]
        style = "bold" if len(set(values)) > 1 else ""
        table.add_row(
            Text(name, style="dim"), *(Text(value, style=style, overflow="fold") for value in values)
        )
    if len(shown) == 1:
        table.add_row(Text("report", style="dim"), Text(show(_report, shown[0])))
    return table


def list_findings(findings: Iterable[Finding]) -> Table:
    """Build a table with one row per finding. A remedy has its own line, so that commands can be copied."""
    table = Table("", "check", "found", box=None, padding=(0, 1, 0, 0), header_style="bold")
    for finding in findings:
        table.add_row(
            Text(finding.outcome, style=COLOURS[finding.outcome]), Text(finding.check), Text(finding.found)
        )
        if finding.remedy:
            table.add_row("", "", Text(f"→ {finding.remedy}"))
    return table


def list_phases(phases: Iterable[Phase]) -> Table:
    """One row a phase of a canary; parts are below what they are of."""
    table = Table("phase", "seconds", "source", box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.columns[1].justify = "right"
    for phase in phases:
        name = f"  {phase.name}" if phase.is_part else phase.name
        table.add_row(Text(name), f"{phase.seconds:.1f}", Text(phase.source, style="dim"))
    return table


def _report(run: Run) -> str:
    return f"{run['csv'].rpartition('/csv/')[0]}/report.html"
