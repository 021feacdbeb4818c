"""``orchard purge``: deletes for good, once the printed plan is confirmed."""

import os
from typing import Annotated

import typer

from orchard_cli.options import AsJson, write_examples

commands = typer.Typer()


@commands.command(
    epilog=write_examples(
        "orchard purge --lake s3://my-lake --images s3://my-images --image apple/1.jpg",
        "orchard purge --lake ~/lake --run manual__2026-11-22T17-01-09-be94192d --confirm 1",
    )
)
def purge(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    run: Annotated[str, typer.Option(help="Run to delete: the name of its folder in runs/.")] = "",
    image: Annotated[str, typer.Option(help="Image to delete: its path as in the CSV.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Delete everything that Orchard has written.")
    ] = False,
    confirm: Annotated[str, typer.Option(help="Carry out the plan: the value that the plan prints.")] = "",
    lake: Annotated[str, typer.Option(help="Folder or URI of the lake. Default: ORCHARD_LAKE.")] = "",
    images: Annotated[
        str, typer.Option(help="Folder or URI of the images. Default: ORCHARD_IMAGES or <lake>/images.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Delete a run, an image or everything. Without --confirm, only print what would be deleted."""
    from erasure.purge import plan_purge
    from erasure.request import Request
    from orchard_cli.output import REFUSED, print_json

    request = Request.build(os.environ, lake=lake, images=images, run=run, image=image, everything=everything)
    plan = plan_purge(request)
    is_confirmed = confirm == plan.confirmation
    if not as_json:
        print(plan.describe(), flush=True)
    if is_confirmed:
        plan.carry_out()
    if as_json:
        print_json({**plan.to_json(), "is_done": is_confirmed and not plan.unsearched})
    elif is_confirmed and plan.unsearched:
        print("\nIncomplete: everything found was deleted, but objects marked NOT SEARCHED may hold more.")
    elif is_confirmed:
        print("\nDone.")
    else:
        option = f"--confirm={plan.confirmation} (with make: CONFIRM={plan.confirmation})"
        print(f"\nNothing has been deleted yet. To delete it, add {option}")
    if confirm and (not is_confirmed or plan.unsearched):
        raise typer.Exit(REFUSED)
