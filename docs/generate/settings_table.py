"""The settings: variables, defaults, meanings, and what each takes, by what the code refuses."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from docs.generate.markdown import format_code, format_table, join_lines
from orchard.settings.env import variable_name, variables
from orchard.settings.settings import GROUPS, Settings
from orchard_jobs.errors import OrchardError

REQUIRED = {
    "ORCHARD_LAKE": "s3://bucket",
    "ORCHARD_MODEL": "s3://bucket/models/4b8fe23a20cd",
}
OUTRAGEOUS = ("-1", "1000000000", "!", "arm64.large,arm64.large,m7g.large", "'")
"""Values of which each rule refuses one at least."""
NUMBERS = {int: "whole number", float: "number", str: "text"}


def build_settings(groups: Sequence[type] = GROUPS) -> str:
    return "\n\n".join(map(build_group, groups))


def build_group(group: Any) -> str:
    """Return the section of one dataclass of settings."""
    hints = typing.get_type_hints(group)
    takes = {variable_name(field.name): hints[field.name] for field in dataclasses.fields(group)}
    rows = (
        [
            format_code(one.name),
            show_default(one.default),
            describe_value(one.name, takes[one.name]),
            one.description,
        ]
        for one in variables(group)
    )
    table = format_table(["variable", "default", "takes", "what it is"], rows)
    return f"## {group.__name__}\n\n{join_lines(group.__doc__)}\n\n{table}"


def show_default(default: str) -> str:
    """Values look like code; what only describes a default does not."""
    return default if default.startswith(("`", "none", "required")) else format_code(default)


def describe_value(name: str, hint: Any) -> str:
    """Return the type of a variable, and the rule that Orchard states when it refuses a value."""
    if typing.get_origin(hint) is tuple:
        kind = "list, by comma"
    else:
        scalar = next((one for one in typing.get_args(hint) if one is not type(None)), hint)
        if issubclass(scalar, StrEnum):
            return " or ".join(format_code(member.value) for member in scalar)
        kind = NUMBERS[scalar]
    rule = find_rule(name)
    return f"{kind}: {rule}" if rule else kind


def find_rule(name: str, environ: Mapping[str, str] = REQUIRED) -> str | None:
    """Return the rule by which a value of the variable is refused, in the words of the error."""
    for value in OUTRAGEOUS:
        try:
            Settings.from_env({**environ, name: value})
        except OrchardError as error:
            rule = error.rule.removeprefix("it must be ")
            if error.message.startswith(f"{name}=") and rule not in ("an integer", "a number"):
                return rule
    return None
