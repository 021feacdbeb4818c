"""``orchard deploy``: a git revision into the bucket of EMR and managed Airflow."""

from typing import Annotated

import typer

from orchard_cli.options import AsJson, write_examples

commands = typer.Typer()


@commands.command(
    epilog=write_examples(
        "orchard deploy --bucket orchard-123456789012-eu-west-3 --model ~/models/4b8fe23a20cd --dry-run",
        "orchard deploy --bucket orchard-123456789012-eu-west-3 --revision 0847ef6bd432",
    )
)
def deploy(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    bucket: Annotated[str, typer.Option(help="Name of the lake's bucket.")],
    model: Annotated[
        str, typer.Option(help="Folder or s3:// URI of a model artefact; that which is deployed without it.")
    ] = "",
    revision: Annotated[
        str, typer.Option(help="A commit; the checked out one without it, with nothing uncommitted.")
    ] = "",
    region: Annotated[
        str, typer.Option(envvar="ORCHARD_REGION", help="Region of the bucket; boto3's own without it.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Upload a git revision to the lake's bucket. With its wheels and a model, for EMR and MWAA."""
    from deployment.deploy import Request, plan_deployment
    from orchard_cli.output import print_json

    deployment = plan_deployment(Request(bucket, revision, model, region))
    if not as_json:
        for line in deployment.describe():
            print(line)
    if not dry_run:
        deployment.carry_out()
    if as_json:
        print_json({**deployment.to_json(), "is_done": not dry_run})
    else:
        print("Nothing has been done (dry run)." if dry_run else deployment.describe_outcome())
