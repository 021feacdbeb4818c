"""``orchard run``: one run without Airflow and EMR."""

import os
from pathlib import Path
from typing import Annotated

import typer

from orchard_cli.options import LATEST, AsJson, Lake, write_examples
from orchard_jobs.contract import BasisMode, Precision

commands = typer.Typer()


@commands.command(
    epilog=write_examples(
        "orchard run ~/fruits-360/Test --lake ~/lake --weights mobilenet_v2.h5",
        "orchard run s3://bucket/images --lake s3://bucket --model s3://bucket/models/4b8fe23a20cd",
    )
)
def run(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    images: Annotated[str, typer.Argument(metavar="IMAGES", help="Folder or URI of <label>/<image>.")],
    lake: Lake = "lake",
    model: Annotated[str, typer.Option(envvar="ORCHARD_MODEL", help="URI of a model artefact.")] = "",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Keras MobileNetV2 weights, or 'untrained', instead. Without either, the lake's own model."
        ),
    ] = None,
    components: Annotated[int | None, typer.Option(help="Components to keep; 15 by default.")] = None,
    variance: Annotated[float | None, typer.Option(help="Or the share of variance to keep.")] = None,
    basis: Annotated[
        BasisMode | None, typer.Option(help="Refit it, the default, or reuse that of the run before.")
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Of the inference.")] = Precision.FLOAT32,
    max_failure_ratio: Annotated[
        float, typer.Option(help="Largest allowed share of rejected images.")
    ] = 0.05,
    master: Annotated[
        str, typer.Option(help="Spark's master: local[N,ATTEMPTS], spark://…, yarn.")
    ] = "local[*,4]",
    yes: Annotated[
        bool, typer.Option("--yes", help="Compute images again that have results of another model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compute what is new in IMAGES and publish it. Airflow and EMR play no part; the lake is the same.

    Where nothing is new, other components, variance or basis are fitted on what is stored.
    """
    from rich.console import Console

    from local_spark.submit import Spark, refuse_no_java
    from orchard.lake.objects import to_uri
    from orchard.lake.run_index import RunIndex
    from orchard.report.formats import plural
    from orchard.report.run_figures import noise
    from orchard.sensing.feature_change import describe_change
    from orchard.sensing.refit import describe_refit
    from orchard.sensing.sense import read_model_card
    from orchard.settings.feature_spec import FeatureSpec
    from orchard_cli.output import confirm, print_news, print_runs
    from orchard_cli.pipeline import compute
    from orchard_cli.progress import JobBars
    from orchard_cli.run_request import RunRequest
    from orchard_jobs.errors import OrchardError

    refuse_no_java(os.environ)
    request = RunRequest(
        to_uri(images),
        to_uri(lake),
        model,
        weights,
        components,
        variance,
        basis or BasisMode.REFIT,
        precision,
        max_failure_ratio,
    )
    settings, choices = request.resolve(warn=lambda text: print_news(f"WARNING  {text}"))
    published = RunIndex.open(settings.places.lake, settings.access)
    card = read_model_card(settings.places.model, settings.access)
    spec = FeatureSpec.of_run(card["id"], choices, settings)
    if change := describe_change(published, choices.images, spec):
        confirm(change, yes=yes)
    spark = Spark.of_settings(settings, master)
    terminal = Console(stderr=True, highlight=False)
    with JobBars(terminal) as bars:
        sensed, summary = compute(settings, choices, spark, bars.show)
    if summary and (warning := noise(summary)):
        print_news(f"WARNING  {warning}.")
    if summary:
        if not sensed["new"]:
            print_news(
                "No new images: components were fitted on the stored statistics, and no image was read."
            )
        print_runs([summary], as_json=as_json)
        return
    gone = (
        f" {plural(sensed['deleted'], 'image')} of it are gone: the next run with new images leaves them out."
    )
    print_news(f"No new images.{gone if sensed['deleted'] else ''} The newest result:")
    summary = published.read(published.find(LATEST))
    print_runs([summary], as_json=as_json)
    if refit := describe_refit(published, summary["run"], choices):
        raise OrchardError(
            refit,
            rule="components are fitted on the rows of images that are there, and none is",
            remedy="add an image, or take another lake",
        )
