"""The command ``orchard``: runs and results without Airflow, on the same lake."""

import json
import logging
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from cli.compute import compute
from cli.inputs import RunRequest
from cli.progress import JobBars
from cli.spark import Spark
from cli.tables import list_runs, show_runs
from local.node import NodeError
from orchard.access import Access
from orchard.published import LATEST, Published
from orchard.storage import local_path, to_uri
from orchard_jobs.contract import BasisMode, Precision
from orchard_jobs.errors import OrchardError

INTERRUPTED = 130  # all that Typer says of Ctrl-C
HELP = "Runs and results without Airflow, on the same lake."

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
told = Console(stderr=True, highlight=False)

Lake = Annotated[str, typer.Option(envvar="ORCHARD_LAKE", help="Folder or URI of the lake.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON: what run.json says.")]
Name = Annotated[str, typer.Argument(help="A run: 'latest', or any part of its name.")]


@app.command()
def run(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    images: Annotated[str, typer.Argument(help="Folder or URI of <label>/<image>.")],
    lake: Lake = "lake",
    model: Annotated[str, typer.Option(envvar="ORCHARD_MODEL", help="URI of a model artefact.")] = "",
    weights: Annotated[Path | None, typer.Option(help="Keras MobileNetV2 weights, instead.")] = None,
    components: Annotated[int | None, typer.Option(help="Components to keep; 15 by default.")] = None,
    variance: Annotated[float | None, typer.Option(help="Or the share of variance to keep.")] = None,
    basis: Annotated[
        BasisMode, typer.Option(help="Refit it, or reuse that of the run before.")
    ] = BasisMode.REFIT,
    precision: Annotated[Precision, typer.Option(help="Of the inference.")] = Precision.FLOAT32,
    max_failure_ratio: Annotated[
        float, typer.Option(help="Largest allowed share of rejected images.")
    ] = 0.05,
    master: Annotated[str, typer.Option(help="Spark's master: local[N], spark://…, yarn.")] = "local[*]",
    as_json: AsJson = False,
) -> None:
    """Compute what is new in IMAGES and publish it."""
    request = RunRequest(
        to_uri(images),
        to_uri(lake),
        model,
        weights,
        components,
        variance,
        basis,
        precision,
        max_failure_ratio,
    )
    settings, choices = request.resolve(warn=lambda text: told.print(f"WARNING  {text}", markup=False))
    spark = Spark.of_settings(settings, master)
    with JobBars(told) as bars:
        summary = compute(settings, choices, spark, bars.show)
    if summary is None:
        told.print("No new images. The newest result:")
        summary = Published.of_lake(to_uri(lake), Access()).read(LATEST)
    _print([summary], as_json=as_json)
    if told.is_terminal and spark.classes.can_be_made:
        with told.status("keeping Spark's classes once, so that runs start sooner; Ctrl-C does no harm"):
            spark.keep_classes()


@app.command()
def runs(
    lake: Lake = "lake",
    count: Annotated[int, typer.Option("-n", min=1, help="How many, from the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the published runs, newest first."""
    published = Published.of_lake(to_uri(lake), Access())
    found = [published.read(name) for name in published.names[:count]]
    if as_json:
        _print(found, as_json=True)
    elif found:
        Console().print(list_runs(found))
        if len(published.names) > count:
            told.print(f"{len(published.names) - count} older ones: -n {len(published.names)} shows all")
    else:
        told.print(f"no run is published in {published.lake.uri}", markup=False)


@app.command()
def show(name: Name = LATEST, lake: Lake = "lake", as_json: AsJson = False) -> None:
    """Show one run."""
    _print([Published.of_lake(to_uri(lake), Access()).read(name)], as_json=as_json)


@app.command()
def compare(first: Name, second: Name = LATEST, lake: Lake = "lake", as_json: AsJson = False) -> None:
    """Show two runs side by side; what differs is bold."""
    published = Published.of_lake(to_uri(lake), Access())
    _print([published.read(name) for name in (first, second)], as_json=as_json)


@app.command()
def report(
    name: Name = LATEST,
    lake: Lake = "lake",
    should_open: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Make the report of a run anew, and print where it is."""
    from orchard.report.write import write_report  # noqa: PLC0415 - what draws takes a while to load

    published = Published.of_lake(to_uri(lake), Access())
    uri = write_report(published.storage, published.lake, published.find(name))
    print(uri)
    if should_open:
        webbrowser.open(local_path(uri).as_uri() if uri.startswith("file://") else uri)


def main() -> None:
    """Run the command; end with one line and exit code 2 after an error that it explains."""
    logging.getLogger("orchard").setLevel(logging.WARNING)  # what it says is for Airflow's log
    try:
        app(prog_name="orchard")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end("interrupted; 'orchard runs' says what is published", INTERRUPTED)
        raise
    except (OrchardError, NodeError, BotoCoreError, ClientError, OSError) as error:
        _end(str(error), 2)


def _print(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2, ensure_ascii=False))
    else:
        Console().print(show_runs(found))


def _end(message: str, code: int) -> NoReturn:
    print(f"orchard: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
