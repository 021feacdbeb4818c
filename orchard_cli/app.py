"""The command ``orchard``: its subcommands, and how all of them end.

A subcommand parses, calls the package that does the work, and prints. It imports that package when it is
called: Airflow, pyarrow and boto3 take seconds, and ``orchard --help`` needs none of them.
"""

import errno
import logging
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from typer.exceptions import TyperException

from local_spark.node import STATE
from orchard_cli.commands import canary, deploy, local, model, preflight, purge, results, run
from orchard_cli.output import INTERRUPTED, end
from orchard_jobs.errors import OrchardError

HELP = "Images in a folder or in S3 to features, principal components and a CSV."
EPILOG = """\b
Exit codes:
  0    done
  1    the DAG run failed, or Airflow did not start: the message names the log
  2    refused or failed: the message says why, the hint what to do
  130  interrupted

\b
Examples:
  orchard demo
  orchard run ~/fruits-360/Test --lake ~/lake
  orchard runs --lake ~/lake --json
"""

app = typer.Typer(
    help=HELP,
    epilog=EPILOG,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (run, results, local, model, deploy, preflight, canary, purge):
    app.add_typer(module.commands)


def show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"orchard {find_version()}")
        raise typer.Exit


@app.callback()
def show_help(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code. An error that it explains is a line, and a line with a hint."""
    logging.getLogger("orchard").setLevel(logging.WARNING)  # what it says is for Airflow's log
    # For a lake in S3, Airflow's hooks are loaded: they are not to make a home in the user's.
    os.environ.setdefault("AIRFLOW_HOME", str(STATE / "cli"))
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    try:
        code = app(arguments, prog_name="orchard", standalone_mode=False) or 0
    except TyperException as error:
        context = getattr(error, "ctx", None)
        asked = context.command_path if context else "orchard"
        return end(error.format_message(), f"`{asked} --help` shows its options.", error.exit_code)
    except OrchardError as error:
        return end(error.message, error.hint)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return end(str(error), "Make room there, and run again: what is published stays." if is_full else "")
    except Exception as error:
        if not is_of_aws(error):
            raise
        return end(str(error), "Look at the credentials and their permissions.")
    if code == INTERRUPTED:
        return end("interrupted; 'orchard runs' says what is published", code=INTERRUPTED)
    return int(code)


def is_of_aws(error: Exception) -> bool:
    """Whether an error is one of botocore's, which is not imported for that."""
    return any(kind.__module__ == "botocore.exceptions" for kind in type(error).__mro__)


def find_version() -> str:
    """Return the version of the installed command."""
    try:
        return version("orchard")
    except PackageNotFoundError:
        return "(not installed: run `make setup`)"
