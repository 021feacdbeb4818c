"""Options shared by several commands, and the format of their examples."""

from typing import Annotated

import typer

LATEST = "latest"

Lake = Annotated[str, typer.Option(envvar="ORCHARD_LAKE", help="Folder or URI of the lake.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run: 'latest', or any part of its name.")]


def write_examples(*commands: str) -> str:
    """Return the examples that end a command's help."""
    title = "Example:" if len(commands) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  {command}" for command in commands)])
