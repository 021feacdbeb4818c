"""``orchard model``: exports a model artefact."""

import os
from typing import Annotated

import typer

from orchard_cli.options import AsJson, write_examples

commands = typer.Typer()


@commands.command(
    epilog=write_examples(
        "orchard model --models ~/lake/models --weights mobilenet_v2.h5",
        "orchard model --models s3://my-lake/models",
    )
)
def model(
    models: Annotated[str, typer.Option(help="Folder or URI of models, in which to create the artefact.")],
    weights: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Keras MobileNetV2 weights (.h5 or .keras); 'imagenet' downloads them from Keras.",
        ),
    ] = "imagenet",
    as_json: AsJson = False,
) -> None:
    """Export MobileNetV2 as a model artefact and print its URI."""
    from local_spark.model import export_model
    from orchard.lake.objects import to_uri
    from orchard_cli.output import print_json

    uri = export_model(os.path.expanduser(weights), to_uri(models), os.environ)  # noqa: PTH111 - may be a word
    if as_json:
        print_json({"model": uri})
    else:
        print(uri)
