"""``orchard preflight``: checks whether a nightly run would start in an AWS account."""

import os
from typing import Annotated

import typer

from orchard_cli.options import AsJson, write_examples

commands = typer.Typer()


@commands.command(
    epilog=write_examples(
        "orchard preflight --airflow-role my-airflow",
        "orchard preflight --airflow-role my-airflow --new-images 22688 --json",
        "orchard preflight --mwaa-environment my-airflow",
    )
)
def preflight(
    airflow_role: Annotated[
        str, typer.Option(help="Name or ARN of the role that Airflow runs as. Default: your own identity.")
    ] = "",
    new_images: Annotated[
        int, typer.Option(min=0, help="New images of the first run, which determine its cluster size.")
    ] = 0,
    mwaa_environment: Annotated[
        str, typer.Option(help="Name of an MWAA environment to check; its execution role is the default.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check whether a nightly run would start in AWS. Read-only; settings are ORCHARD_* variables."""
    from orchard.settings.settings import Settings
    from orchard_cli.output import REFUSED, print_json, print_table
    from orchard_cli.tables import list_findings
    from readiness.artefacts import read_deployed
    from readiness.preflight import count_outcomes, describe, run_preflight
    from readiness.signals import find_topic
    from readiness.target import Clients, PreflightRequest

    clients = Clients(os.environ.get("ORCHARD_REGION", "").strip() or None)
    given = {name: value for name, value in os.environ.items() if value.strip()}
    settings = Settings.from_env({**read_deployed(clients, given), **given})
    topic = find_topic(settings.signals, os.environ)
    request = PreflightRequest(settings, new_images, airflow_role, topic, mwaa_environment)
    findings = list(run_preflight(request, clients))
    counts = count_outcomes(findings)
    if as_json:
        print_json({"counts": counts, "findings": [finding.to_json() for finding in findings]})
    else:
        print_table(list_findings(findings))
        print(f"\n{describe(findings)}")
    if counts["fail"]:
        raise typer.Exit(REFUSED)
