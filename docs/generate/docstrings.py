"""What the code says of its parts: docstrings under attributes, and the arguments of a class."""

import ast
import inspect
import re
import sys
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

from docs.generate.markdown import join_lines


def read_attributes(cls: type) -> dict[str, str]:
    """Return the docstring under each attribute of a class, its own and inherited, in their order.

    Raises:
        LookupError: for an attribute that has none.
    """
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        if one.__module__.partition(".")[0] not in {*sys.stdlib_module_names, "pydantic"}:
            found |= _read_attributes(ast.parse(dedent(inspect.getsource(one))).body[0])
    missing = [name for name in _names(cls) if name not in found]
    if missing:
        raise LookupError(f"{cls.__qualname__}: no docstring under {', '.join(missing)}")
    return found


def read_arguments(docstring: str | None) -> dict[str, str]:
    """Return the meanings below ``Args:``, by name."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", inspect.cleandoc(docstring or ""), re.MULTILINE)
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section[1] if section else "", re.MULTILINE)
    return {name: join_lines(text) for name, text in entries}


def read_class_docstring(path: Path, name: str) -> str:
    """Return the docstring of a class that cannot be imported where the pages are made."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return ast.get_docstring(found) or ""


def describe_type(hint: Any) -> str:
    """Return a type as its source has it, without the modules of its parts."""
    text = hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def _read_attributes(node: ast.AST) -> dict[str, str]:
    body = node.body if isinstance(node, ast.ClassDef) else []
    found = {}
    for place, following in pairwise(body):
        name = _name(place)
        is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if name and is_text:
            found[name] = join_lines(str(following.value.value))  # type: ignore[attr-defined]
    return found


def _name(node: ast.AST) -> str | None:
    target = node.target if isinstance(node, ast.AnnAssign) else None
    if isinstance(node, ast.Assign):
        target = node.targets[0]  # type: ignore[assignment]
    return target.id if isinstance(target, ast.Name) else None


def _names(cls: type) -> list[str]:
    members = getattr(cls, "__members__", None)
    return list(members if members is not None else inspect.get_annotations(cls))
