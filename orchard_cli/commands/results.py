"""``orchard runs``, ``show``, ``compare`` and ``report``: what a lake has."""

import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from orchard_cli.options import LATEST, AsJson, Lake, RunName, write_examples

if TYPE_CHECKING:
    from orchard.lake.run_index import RunIndex

commands = typer.Typer()


@commands.command(epilog=write_examples("orchard runs --lake ~/lake", "orchard runs -n 100 --json"))
def runs(
    lake: Lake = "lake",
    count: Annotated[int, typer.Option("-n", min=1, help="How many, from the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the published runs, newest first."""
    from orchard_cli.output import print_json, print_news, print_table
    from orchard_cli.tables import list_runs

    published = open_lake(lake)
    found = [published.read(name) for name in published.names[:count]]
    if as_json:
        print_json(found)
    elif found:
        print_table(list_runs(found))
        if len(published.names) > count:
            print_news(f"{len(published.names) - count} older ones: -n {len(published.names)} shows all")
    else:
        print_news(f"no run is published in {published.lake.uri}")


@commands.command(epilog=write_examples("orchard show --lake ~/lake", "orchard show 4266b620 --json"))
def show(name: RunName = LATEST, lake: Lake = "lake", as_json: AsJson = False) -> None:
    """Show one run."""
    show_named([name], lake, as_json=as_json)


@commands.command(
    epilog=write_examples("orchard compare 7f0384f9 --lake ~/lake", "orchard compare 7f0384f9 4266b620")
)
def compare(first: RunName, second: RunName = LATEST, lake: Lake = "lake", as_json: AsJson = False) -> None:
    """Show two runs side by side; what differs is bold."""
    show_named([first, second], lake, as_json=as_json)


@commands.command(epilog=write_examples("orchard report --lake ~/lake --open"))
def report(
    name: RunName = LATEST,
    lake: Lake = "lake",
    should_open: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the report of a run anew, and print where it is."""
    from orchard.lake.objects import local_path
    from orchard.report.write import write_report
    from orchard_cli.output import print_json

    published = open_lake(lake)
    uri = write_report(published.storage, published.lake, published.find(name))
    if as_json:
        print_json({"report": uri})
    else:
        print(uri)
    if should_open:
        webbrowser.open(local_path(uri).as_uri() if uri.startswith("file://") else uri)


def show_named(names: list[str], lake: str, *, as_json: bool) -> None:
    from orchard_cli.output import print_runs

    published = open_lake(lake)
    print_runs([published.read(published.find(name)) for name in names], as_json=as_json)


def open_lake(lake: str) -> "RunIndex":
    """Return the published runs of a lake, which is a folder or a URI."""
    from orchard.lake.objects import to_uri
    from orchard.lake.run_index import RunIndex
    from orchard.settings.aws import Access

    return RunIndex.open(to_uri(lake), Access())
