"""``orchard deploy``: uploads a git revision for EMR and managed Airflow."""

import sys
from typing import Annotated

import typer

from orchard_cli.options import AsJson, write_examples

commands = typer.Typer()


@commands.command(
    epilog=write_examples(
        "orchard deploy --stack orchard --model ~/models/4b8fe23a20cd --dry-run",
        "orchard deploy --stack orchard --settings night.env --environment my-airflow",
        "orchard deploy --bucket orchard-123456789012-eu-west-3 --revision 0847ef6bd432",
    )
)
def deploy(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    bucket: Annotated[
        str, typer.Option(help="Name of the lake's bucket. Default: the bucket of --stack.")
    ] = "",
    model: Annotated[
        str, typer.Option(help="Folder or s3:// URI of a model artefact. Default: the deployed model.")
    ] = "",
    revision: Annotated[
        str, typer.Option(help="A commit. Default: the checked-out one, with nothing uncommitted.")
    ] = "",
    region: Annotated[
        str, typer.Option(envvar="ORCHARD_REGION", help="Region of the bucket. Default: boto3's.")
    ] = "",
    stack: Annotated[
        str, typer.Option(help="Name of the stack of infra/orchard.yaml, whose outputs become startup.sh.")
    ] = "",
    settings: Annotated[
        str, typer.Option(metavar="FILE", help="Lines NAME=value for startup.sh, which override the stack's.")
    ] = "",
    environment: Annotated[
        str, typer.Option(help="Name of the managed Airflow (MWAA) to update; waits for the update.")
    ] = "",
    wait_minutes: Annotated[int, typer.Option(min=1, help="Timeout of the update.")] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Upload a git revision, its wheels and a model to the lake's bucket, for EMR and MWAA."""
    from deployment.deploy import Request, plan_deployment
    from orchard_cli.output import INTERRUPTED, end, print_json, print_news

    request = Request(bucket, revision, model, region, stack, settings, environment, wait_minutes)
    deployment = plan_deployment(request)
    plan = deployment.to_json()
    if not as_json:
        print("\n".join(deployment.describe()), flush=True)
    if dry_run:
        if as_json:
            print_json({**plan, "is_done": False})
        else:
            print("Nothing was done (dry run).")
        return
    try:
        outcome = deployment.carry_out(print_news)
    except KeyboardInterrupt:
        sys.exit(end(deployment.describe_interruption(), code=INTERRUPTED))
    if as_json:
        print_json({**plan, "is_done": True, **outcome.to_json()})
    else:
        print("\n".join(outcome.describe()))
