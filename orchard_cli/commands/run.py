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
    images: Annotated[str, typer.Argument(metavar="IMAGES", help="Folder or URI of <label>/<image> files.")],
    lake: Lake = "lake",
    model: Annotated[str, typer.Option(envvar="ORCHARD_MODEL", help="URI of a model artefact.")] = "",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Keras MobileNetV2 weights, or 'untrained', instead of --model. "
            "Default: the lake's current model."
        ),
    ] = None,
    components: Annotated[int | None, typer.Option(help="Components to keep. Default: 15.")] = None,
    variance: Annotated[
        float | None, typer.Option(help="Share of the variance to keep, instead of --components.")
    ] = None,
    basis: Annotated[
        BasisMode | None,
        typer.Option(help="Refit the basis, or reuse the previous run's. Default: refit."),
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Precision of the inference.")] = Precision.FLOAT32,
    max_failure_ratio: Annotated[
        float, typer.Option(help="Largest allowed share of rejected images.")
    ] = 0.05,
    master: Annotated[
        str, typer.Option(help="Spark master: local[N,ATTEMPTS], spark://…, yarn.")
    ] = "local[*,4]",
    yes: Annotated[
        bool, typer.Option("--yes", help="Recompute images whose features came from another model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compute the new images in IMAGES and publish a run, without Airflow and EMR. The lake is the same.

    Without new images, different components, variance or basis are fitted on the stored statistics.
    """
    from rich.console import Console

    from local_spark.submit import Spark, require_java
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

    require_java(os.environ)
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
    deleted = (
        f" {plural(sensed['deleted'], 'image')} of the newest result no longer exist: the next run with new "
        "images leaves them out."
    )
    print_news(f"No new images.{deleted if sensed['deleted'] else ''} The newest result:")
    summary = published.read(published.find(LATEST))
    print_runs([summary], as_json=as_json)
    if refit := describe_refit(published, summary["run"], choices):
        raise OrchardError(
            refit,
            rule="components are fitted on the rows of existing images, and there are none",
            remedy="add an image, or use another lake",
        )
