"""A frozen dataclass of job arguments as a list of ``--key=value`` tokens, and back.

A list, never a joined string: a path with a space or a quote stays one argument all the way from
Airflow through EMR to the driver.
"""

import dataclasses
import types
import typing
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from orchard_jobs.errors import OrchardError

Job = TypeVar("Job")


def to_argv(job: Any) -> list[str]:
    """Return one ``--key=value`` token per argument; ``None`` gives none, a tuple one per item."""
    return [
        f"--{field.name.replace('_', '-')}={value}"
        for field in dataclasses.fields(job)
        for value in _as_values(getattr(job, field.name))
    ]


def from_argv(kind: type[Job], argv: Sequence[str]) -> Job:
    """Build ``kind`` from ``--key=value`` tokens.

    Raises:
        OrchardError: for a malformed token, an unknown, repeated or missing key, or a value of the wrong
            type.
    """
    hints = _field_types(kind)
    given: dict[str, list[str]] = {}
    for token in argv:
        key, value = _split(token)
        if key not in hints:
            raise OrchardError(
                f"unknown argument --{key.replace('_', '-')}",
                rule=f"the arguments are {', '.join('--' + n.replace('_', '-') for n in hints)}",
                remedy="correct the name",
            )
        given.setdefault(key, []).append(value)
    arguments = {key: _parse(key, hints[key], values) for key, values in given.items()}
    _validate_required(kind, arguments)
    return kind(**arguments)


def _field_types(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _as_values(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _split(token: str) -> tuple[str, str]:
    key, separator, value = token.partition("=")
    if not key.startswith("--") or not separator:
        raise OrchardError(
            f"argument {token!r}",
            rule="arguments have the form --key=value",
            remedy="join the key and its value with '='",
        )
    return key[2:].replace("-", "_"), value


def _parse(key: str, hint: Any, values: list[str]) -> Any:
    if typing.get_origin(hint) is tuple:
        return tuple(values)
    flag = f"--{key.replace('_', '-')}"
    if len(values) > 1:
        raise OrchardError(
            f"{flag} given {len(values)} times", rule="it accepts one value", remedy="give it once"
        )
    return parse_value(flag, hint, values[0])


def parse_value(name: str, hint: Any, text: str) -> Any:
    """Parse ``text`` as a value of the type ``hint``: a scalar or an optional scalar.

    Args:
        name: The user's name of the value, for the error message.

    Raises:
        OrchardError: if it cannot be parsed.
    """
    scalar = _scalar_type(hint)
    try:
        return scalar(text)
    except ValueError:
        raise OrchardError(
            f"{name}={text}", rule=f"it must be {_allowed(scalar)}", remedy=f"correct {name}"
        ) from None


def _scalar_type(hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return next(member for member in typing.get_args(hint) if member is not types.NoneType)
    return hint


def _allowed(scalar: Any) -> str:
    if issubclass(scalar, StrEnum):
        return f"one of {', '.join(scalar)}"
    return {int: "an integer", float: "a number"}.get(scalar, "text")


def _validate_required(kind: Any, arguments: dict[str, Any]) -> None:
    missing = [
        f"--{field.name.replace('_', '-')}"
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.name not in arguments
    ]
    if missing:
        raise OrchardError(
            f"missing {', '.join(missing)}", rule="these arguments are required", remedy="add them"
        )
