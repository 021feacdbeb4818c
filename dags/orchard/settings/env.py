"""Build a frozen dataclass from ``ORCHARD_*`` environment variables, and list those variables.

A field's variable is its name in capitals: ``core_nodes`` is ``ORCHARD_CORE_NODES``. An empty variable
counts as unset, because docker-compose and Make pass unset variables that way.
"""

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from orchard_jobs.argv import parse_value
from orchard_jobs.errors import OrchardError

PREFIX = "ORCHARD_"

URI_PATTERN = r"^(s3://[^/\x00-\x1f\x7f]|file:///)[^\x00-\x1f\x7f]*(?![\s\S])"
"""After the scheme comes the plain path or key: nothing is percent-decoded. The lookahead at the end replaces
``$``, which Python and JSON Schema interpret differently before a line break."""

Group = TypeVar("Group")


class Variable(NamedTuple):
    """One row of the table of settings."""

    name: str
    default: str
    description: str


def setting(description: str, default: Any = dataclasses.MISSING, *, shown: str | None = None) -> Any:
    """Declare a field. ``shown`` describes a default that depends on other settings."""
    return dataclasses.field(default=default, metadata={"description": description, "shown": shown})


def read(group: type[Group], environ: Mapping[str, str]) -> Group:
    """Build ``group`` from the environment.

    Raises:
        OrchardError: for a variable that is missing or has the wrong type.
    """
    hints = typing.get_type_hints(group)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(group):  # type: ignore[arg-type]
        name = variable_name(field.name)
        text = environ.get(name, "").strip()
        if text:
            given[field.name] = _parse(name, hints[field.name], text)
        elif field.default is dataclasses.MISSING:
            raise OrchardError(
                f"{name} is not set", rule=field.metadata["description"], remedy=f"export {name}, then retry"
            )
    return group(**given)


def variables(group: Any) -> Iterator[Variable]:
    """Yield the variables that ``group`` reads, in the order of its fields."""
    for field in dataclasses.fields(group):
        yield Variable(variable_name(field.name), _shown_default(field), field.metadata["description"])


def variable_name(field_name: str) -> str:
    """Return the variable of a field."""
    return PREFIX + field_name.upper()


def require(holds: bool, field_name: str, value: object, rule: str) -> None:
    """Raise OrchardError with the variable, its value and the rule, unless ``holds``."""
    if not holds:
        name = variable_name(field_name)
        raise OrchardError(f"{name}={value}", rule=f"it must be {rule}", remedy=f"correct {name}")


def place(name: str, uri: str, lake: str) -> str:
    """Return ``uri``, which defaults to the folder ``name`` in the lake.

    Raises:
        OrchardError: if it is not a valid URI.
    """
    uri = uri or f"{lake.rstrip('/')}/{name}"
    require(re.match(URI_PATTERN, uri) is not None, name, uri, "s3://bucket/prefix or file:///path")
    require("}}" not in uri, name, uri, "a URI without }}, which EMR removes from the arguments of steps")
    return uri.rstrip("/")


def _parse(name: str, hint: Any, text: str) -> Any:
    if typing.get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return parse_value(name, hint, text)


def _shown_default(field: "dataclasses.Field[Any]") -> str:
    if field.metadata["shown"] is not None:
        return str(field.metadata["shown"])
    if field.default is dataclasses.MISSING:
        return "required"
    if isinstance(field.default, tuple):
        return ",".join(field.default) or "none"
    return "none" if field.default in (None, "") else str(field.default)
