"""``orchard runs``, ``show``, ``compare``, ``report`` and ``open``: the published runs of a lake."""

import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from orchard_cli.options import LATEST, AsJson, Lake, RunName, write_examples
from orchard_jobs.errors import OrchardError

if TYPE_CHECKING:
    from orchard.lake.run_index import RunIndex

commands = typer.Typer()


@commands.command(epilog=write_examples("orchard runs --lake ~/lake", "orchard runs -n 100 --json"))
def runs(
    lake: Lake = "lake",
    count: Annotated[int, typer.Option("-n", min=1, help="Number of runs, newest first.")] = 20,
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
            older = len(published.names) - count
            print_news(f"{older} older runs not shown: -n {len(published.names)} shows all")
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
    """Rebuild the report of a run and print its URI."""
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


@commands.command("open", epilog=write_examples("orchard open", "orchard open 7f0384f9 --lake ~/lake"))
def open_report(name: RunName = LATEST, lake: Lake = "lake") -> None:
    """Open the report of a run in the browser and print its URI."""
    from orchard.lake.objects import local_path
    from orchard.report.stored import read_report
    from orchard_cli.output import print_news

    published = open_lake(lake)
    slug = published.find(name)
    uri = published.lake.run(slug).page
    try:
        read_report(published.storage, published.lake, slug)
    except FileNotFoundError:
        raise OrchardError(
            f"no report at {uri}",
            rule="every run has a report unless building it failed",
            remedy="build it: `orchard report`",
        ) from None
    print(uri)
    if not uri.startswith("file://"):
        print_news(f"A browser cannot open s3:// URIs: copy the report with `aws s3 cp {uri} .`.")
    elif not webbrowser.open(local_path(uri).as_uri()):
        print_news("No browser was found on this machine.")


def open_lake(lake: str) -> "RunIndex":
    """Return the published runs of a lake, which is a folder or a URI.

    Raises:
        OrchardError: where there is no such folder.
    """
    from orchard.lake.objects import local_path, to_uri
    from orchard.lake.run_index import RunIndex
    from orchard.settings.aws import Access

    uri = to_uri(lake)
    if not lake.strip() or (uri.startswith("file://") and not local_path(uri).is_dir()):
        raise OrchardError(
            f"no lake at {lake!r}",
            rule="a lake is a folder or a URI, and the first run creates it",
            remedy="name another with --lake=DIR, or create one with `orchard run IMAGES --lake=DIR`",
        )
    return RunIndex.open(uri, Access())
