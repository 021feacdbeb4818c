"""Constraints of the service model that botocore does not validate: enums, maxima, patterns.

The messages are worded as AWS words them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

# The model writes "any character above U+FFFF" as Java surrogate pairs, an invalid range in Python.
_SURROGATE_PAIRS = r"\uD800\uDC00-\uDBFF\uDFFF"
_ASTRAL = r"\U00010000-\U0010FFFF"


def find_violations(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Yield every violated constraint of a value whose types botocore has accepted."""
    yield from _find_in_children(value, shape, path)
    if isinstance(value, bool) and shape.type_name in ("integer", "long", "double", "float"):
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must be a number"
        return
    for constraint in _find_broken_constraints(value, shape):
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {constraint}"


def _find_in_children(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from find_violations(member, shape.members[name], f"{path}.{name}" if path else name)
    elif isinstance(shape, ListShape):
        for number, member in enumerate(value, start=1):
            yield from find_violations(member, shape.member, f"{path}.{number}.member")
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield from find_violations(member, shape.value, f"{path}.{key}")


def _find_broken_constraints(value: Any, shape: Shape) -> Iterator[str]:
    rules = shape.metadata
    if "enum" in rules and value not in rules["enum"]:
        yield f"satisfy enum value set: [{', '.join(rules['enum'])}]"
    if "max" in rules and shape.type_name in ("string", "list", "map") and len(value) > rules["max"]:
        yield f"have length less than or equal to {rules['max']}"
    if "max" in rules and shape.type_name in ("integer", "long", "double", "float") and value > rules["max"]:
        yield f"have value less than or equal to {rules['max']}"
    if "pattern" in rules and not _compile(rules["pattern"]).fullmatch(value):
        yield f"satisfy regular expression pattern: {rules['pattern']}"


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(_SURROGATE_PAIRS, _ASTRAL))
