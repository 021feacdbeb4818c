"""``orchard purge``: deletes for good; at first it only says what."""

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
    run: Annotated[str, typer.Option(help="A run: its folder in runs/.")] = "",
    image: Annotated[str, typer.Option(help="An image: its path as in the CSV.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that Orchard has written.")] = False,
    confirm: Annotated[str, typer.Option(help="Do it: the value that the list asks for.")] = "",
    lake: Annotated[str, typer.Option(help="Folder or URI of the lake; ORCHARD_LAKE without it.")] = "",
    images: Annotated[
        str, typer.Option(help="Folder or URI of the images; ORCHARD_IMAGES or <lake>/images without it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Delete a run, an image or everything. It is listed first, and deleted once that is confirmed."""
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
        print("\nNot done: what was found is gone, and what is listed as NOT SEARCHED may hold more of it.")
    elif is_confirmed:
        print("\nDone.")
    else:
        how = f"--confirm={plan.confirmation} (with make: CONFIRM={plan.confirmation})"
        print(f"\nNothing has been deleted yet. To do it, add {how}")
    if confirm and (not is_confirmed or plan.unsearched):
        raise typer.Exit(REFUSED)
