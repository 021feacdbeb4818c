"""Airflow and the local EMR on this machine: ``orchard demo``, ``up``, ``down``, ``history``, ``notebook``.

Only this module of the command line imports development tooling.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchard_cli.options import Lake, write_examples

if TYPE_CHECKING:
    from local_airflow.demo import Request

commands = typer.Typer()

Folder = Annotated[str, typer.Option("--lake", metavar="DIR", help="Lake folder.")]
Images = Annotated[
    str,
    typer.Option(
        "--images", metavar="DIR", help="Folder of <label>/<image> files. Default: generated samples."
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Keras MobileNetV2 weights (.h5 or .keras), or 'untrained'. Default: the lake's current model, "
        "or else Keras's ImageNet weights.",
    ),
]
EmrPort = Annotated[
    str, typer.Option("--emr-port", metavar="PORT", help="Port of the local EMR. Default: any free port.")
]
Port = Annotated[str, typer.Option("--port", metavar="PORT", help="Port of Airflow's UI, on loopback.")]


@commands.command(
    epilog=write_examples(
        "orchard demo", "orchard demo --images ~/fruits-360/Test --weights mobilenet_v2.h5 --lake ~/lake"
    )
)
def demo(images: Images = "", weights: Weights = "", lake: Folder = "lake", emr_port: EmrPort = "") -> None:
    """Run the real DAG once on a local EMR, and print a summary."""
    from local_airflow.demo import run_demo, unwind_on_signals
    from orchard_cli.output import INTERRUPTED, end

    request = check("demo", images, weights, lake, emr_port)
    unwind_on_signals()
    try:
        is_published = run_demo(request)
    except KeyboardInterrupt:
        message = "interrupted; the cluster and its processes are gone, nothing was published"
        sys.exit(end(message, code=INTERRUPTED))
    if not is_published:
        raise typer.Exit(1)


@commands.command(epilog=write_examples("orchard up --lake ~/lake --port 8081"))
def up(
    images: Images = "",
    weights: Weights = "",
    lake: Folder = "lake",
    port: Port = "8080",
    emr_port: EmrPort = "",
) -> None:
    """Start Airflow with its UI and a local EMR, in the background."""
    from local_airflow.up import HOME, require_stopped, start_airflow
    from orchard_cli.output import end

    require_stopped()
    request = check("up", images, weights, lake, emr_port, port)
    print("Starting Airflow and a local EMR …", flush=True)
    address = start_airflow(request, int(port))
    if address is None:
        end(f"Airflow did not start. See the logs of its processes: {HOME}/*.log")
        raise typer.Exit(1)
    print(address.describe())


@commands.command(epilog=write_examples("orchard down"))
def down() -> None:
    """Stop the Airflow and the local EMR that `orchard up` started."""
    from local_airflow.up import stop_airflow

    print("Stopped." if stop_airflow() else "Nothing is running.")


@commands.command(epilog=write_examples("orchard history --lake ~/lake"))
def history(
    lake: Lake = "lake",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port, on loopback.")] = 18080,
) -> None:
    """Serve the Spark history of a lake's runs. Ctrl-C stops the server."""
    from local_airflow import preflight
    from local_airflow.history import serve_history

    preflight.check_port("PORT", preflight.Options({"PORT": str(port)}, spell=format_option))
    serve_history(lake, port)


@commands.command(epilog=write_examples("orchard notebook --lake ~/lake"))
def notebook(lake: Lake = "lake") -> None:
    """Open notebooks/explore.ipynb in JupyterLab, on loopback. Ctrl-C stops the server."""
    from local_airflow.notebook import serve_notebook

    serve_notebook(lake)


def check(  # noqa: PLR0913, PLR0917 - the options
    target: str, images: str, weights: str, lake: str, emr_port: str, port: str = ""
) -> "Request":
    """Validate the options as make's preflight does; return the request. Raises OrchardError."""
    from local_airflow import preflight
    from local_airflow.demo import Request
    from orchard.settings.settings import Settings

    names = ("IMAGES", "WEIGHTS", "LAKE", "EMR_PORT", "PORT")
    values = dict(zip(names, (images, weights, lake, emr_port, port), strict=True))
    preflight.check(target, preflight.Options(values, spell=format_option))
    # With an invalid setting, Airflow would only report a missing DAG.
    folder = f"file://{to_path(lake)}"
    Settings.from_env({**os.environ, "ORCHARD_LAKE": folder, "ORCHARD_MODEL": f"{folder}/models"})
    return Request(
        images=to_path(images) if images else None,
        weights=to_path(weights) if weights else None,
        lake=to_path(lake),
        emr_port=int(emr_port or 0),
    )


def format_option(variable: str) -> str:
    """Return the option for one of make's variables: ``--emr-port`` for ``EMR_PORT``."""
    return f"--{variable.lower().replace('_', '-')}"


def to_path(given: str) -> Path:
    """Return an absolute path. The shell does not expand the ~ in ``make demo IMAGES=~/fruits``."""
    return Path(given).expanduser().absolute()
