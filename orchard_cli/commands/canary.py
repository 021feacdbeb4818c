"""``orchard canary``: 20 images on a real cluster, and an idle cluster that EMR must terminate."""

import os
from pathlib import Path
from typing import Annotated

import typer

from orchard_cli.options import AsJson, write_examples

commands = typer.Typer()


@commands.command(
    epilog=write_examples(
        "orchard canary",
        "orchard canary --yes --airflow-role my-airflow --report canary.md",
    )
)
def canary(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for confirmation, although it costs money.")
    ] = False,
    airflow_role: Annotated[
        str, typer.Option(help="Name of Airflow's role, if your credentials are that role's.")
    ] = "",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The report. Default: orchard-<name>.md here.")
    ] = None,
    idle_minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes within which EMR must terminate an idle cluster.")
    ] = 15,
    as_json: AsJson = False,
) -> None:
    """Run 20 sample images on a real cluster. Prints the cost first, and leaves nothing behind."""
    from canary.canary import plan_canary, run_canary
    from canary.report import build_report
    from orchard.emr.actual_cost import find_region
    from orchard.settings.settings import Settings
    from orchard_cli.output import (
        INTERRUPTED,
        REFUSED,
        confirm,
        find_version,
        print_json,
        print_news,
        print_table,
    )
    from orchard_cli.tables import list_findings, list_phases
    from readiness.artefacts import read_deployed
    from readiness.target import Clients

    clients = Clients(os.environ.get("ORCHARD_REGION", "").strip() or None)
    given = {name: value for name, value in os.environ.items() if value.strip()}
    settings = Settings.from_env({**read_deployed(clients, given), **given})
    region = clients.region or find_region(settings.access)
    plan = plan_canary(settings, region, idle_minutes * 60)
    path = report or Path(f"orchard-{plan.name}.md")
    validate_report_path(path)
    rule, remedy = "spending money requires confirmation", "add --yes"
    confirm(plan.describe(), yes=yes, rule=rule, remedy=remedy)
    outcomes = run_canary(plan, airflow_role, print_news)
    code = settings.places.code.rpartition("/")[2]
    path.write_text(build_report(outcomes, find_version(), code), encoding="utf-8")
    if as_json:
        print_json({**outcomes.to_json(), "report": str(path)})
    else:
        print_table(list_findings(outcomes.findings))
        print_table(list_phases(outcomes.phases))
        print("\n".join([*outcomes.measured, f"The report is in {path}"]))
    if outcomes.interrupted:
        raise typer.Exit(INTERRUPTED)
    if outcomes.has_failed:
        raise typer.Exit(REFUSED)


def validate_report_path(path: Path) -> None:
    """Check that the report can be written, before anything costs money.

    Raises:
        OrchardError: if its folder does not exist or is not writable.
    """
    from orchard_jobs.errors import OrchardError

    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise OrchardError(
            f"--report={path}",
            rule="it must be a file in a writable folder",
            remedy="Name another file",
        )
