"""The command ``orchard``: its subcommands, error handling and exit codes.

A subcommand parses its options, calls the package that does the work, and prints the result. It imports that
package lazily: Airflow, pyarrow and boto3 take seconds to import, and ``orchard --help`` needs none of them.
"""

import errno
import logging
import os
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from local_spark.node import STATE
from orchard_cli.commands import canary, deploy, local, model, preflight, purge, results, run
from orchard_cli.output import INTERRUPTED, end, find_version
from orchard_jobs.errors import OrchardError

HELP = "Turn images in a folder or in S3 into features, principal components and a CSV."
EPILOG = """\b
Exit codes:
  0    success
  1    the DAG run failed, or Airflow did not start: the message names the log
  2    invalid request or failure: the message says why, the hint what to do
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


def show_version(is_requested: bool) -> None:
    if is_requested:
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
    """Run the command; return its exit code. A known error prints one line, and one line with a hint."""
    logging.getLogger("orchard").setLevel(logging.WARNING)  # its messages are meant for Airflow's log
    # A lake in S3 loads Airflow's hooks, which must not create ~/airflow.
    os.environ.setdefault("AIRFLOW_HOME", str(STATE / "cli"))
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    try:
        code = app(arguments, prog_name="orchard", standalone_mode=False) or 0
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "orchard"
        return end(error.format_message(), f"`{command} --help` shows its options.", error.exit_code)
    except OrchardError as error:
        return end(error.message, error.hint)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return end(
            str(error), "Free some space and run again: published results are unchanged." if is_full else ""
        )
    except Exception as error:
        if not is_aws_error(error):
            raise
        return end(str(error), "Check the credentials and their permissions.")
    if code == INTERRUPTED:
        return end("interrupted; 'orchard runs' lists the published runs", code=INTERRUPTED)
    return int(code)


def is_aws_error(error: Exception) -> bool:
    """Whether an error is botocore's, without importing botocore."""
    return any(kind.__module__ == "botocore.exceptions" for kind in type(error).__mro__)
