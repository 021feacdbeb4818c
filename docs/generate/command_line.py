"""The command ``orchard``: every command, argument, option and example, as Typer has them."""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from docs.generate.markdown import escape, format_code, format_table, join_lines
from orchard_cli.app import EPILOG, app

VALUES = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}


def build_commands(program: typer.Typer = app) -> str:
    group: Any = typer.main.get_group(program)
    return "\n\n".join(build_command(name, command) for name, command in group.commands.items())


def build_command(name: str, command: Any) -> str:
    parts = [f"## orchard {name}", *describe(command.help)]
    rows = list(list_parameters(command))
    if rows:
        parts.append(format_table(["argument or option", "default", "what it is"], rows))
    examples = re.findall(r"^  (orchard .*)$", command.epilog or "", re.MULTILINE)
    return "\n\n".join([*parts, "\n".join(["```sh", *examples, "```"])])


def describe(docstring: str | None) -> list[str]:
    """Return the paragraphs of a command's help."""
    return [escape(join_lines(text)) for text in (docstring or "").split("\n\n") if text.strip()]


def list_parameters(command: Any) -> Iterator[list[str]]:
    for one in command.params:
        if one.name == "help":
            continue
        is_argument = one.param_type_name == "argument"
        names = f"{one.metavar or one.name.upper()}" if is_argument else ", ".join(one.opts)
        value = "" if is_argument or one.is_flag else f" {describe_value(one)}"
        yield [format_code(names + value), show_default(one), one.help or ""]


def describe_value(option: Any) -> str:
    """Return what stands for the value of an option, as ``--help`` shows it."""
    kind = option.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "|".join(member.value for member in kind)
    return str(option.metavar or VALUES[kind])


def show_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    shown = getattr(parameter.default, "value", parameter.default)
    default = "none" if shown in (None, "", False, ()) else format_code(shown)
    envvar = getattr(parameter, "envvar", None)
    return f"`{envvar}`, else {default}" if envvar else default


def build_exit_codes(epilog: str = EPILOG) -> str:
    codes = epilog.split("Exit codes:")[1].split("\b", maxsplit=1)[0]
    rows = re.findall(r"^  (\d+) +(.*)$", codes, re.MULTILINE)
    return format_table(["exit code", "meaning"], rows)
