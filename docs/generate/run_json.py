"""The fields of run.json."""

import typing
from collections.abc import Iterator

from docs.generate.docstrings import describe_type, read_attributes
from docs.generate.markdown import format_code, format_table
from orchard.lake.run_record import RunRecord


def build_run_json(record: type = RunRecord) -> str:
    return format_table(["field", "type", "what it is"], list_fields(record))


def list_fields(record: type, prefix: str = "") -> Iterator[list[str]]:
    """Yield one row per field, and those of objects with fields of their own below them."""
    hints, meanings = typing.get_type_hints(record), read_attributes(record)
    for name, hint in hints.items():
        if typing.is_typeddict(hint):
            yield [format_code(prefix + name), "object", meanings[name]]
            yield from list_fields(hint, f"{prefix}{name}.")
        else:
            yield [format_code(prefix + name), format_code(describe_type(hint)), meanings[name]]
