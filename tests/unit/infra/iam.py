"""What IAM policies allow, by IAM's rules: nothing, but what is allowed and not denied.

As much of the rules as the template's policies and AWS's own for EMR use. What it does not know it refuses,
so that a policy is never taken for narrower than it is.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

Statement = Mapping[str, Any]
Context = Mapping[str, Any]
"""Condition keys of a request; a value is a string, or a list of them."""

NO_KEYS: Context = MappingProxyType({})

KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "NotResource", "Condition"}


def is_allowed(
    statements: Iterable[Statement], action: str, resource: str, context: Context = NO_KEYS
) -> bool:
    """Whether a request with these condition keys may be made."""
    matching = [one["Effect"] for one in statements if _matches(one, action, resource, context)]
    assert set(matching) <= {"Allow", "Deny"}
    return "Allow" in matching and "Deny" not in matching


def is_denied(
    statements: Iterable[Statement], action: str, resource: str, context: Context = NO_KEYS
) -> bool:
    """Whether it is denied outright, whatever else allows it."""
    return any(one["Effect"] == "Deny" and _matches(one, action, resource, context) for one in statements)


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _matches(statement: Statement, action: str, resource: str, context: Context) -> bool:
    unknown = set(statement) - KNOWN
    assert not unknown, f"{unknown}: not known to this evaluator"
    keys = {key.lower(): value for key, value in context.items()}
    return (
        any(_like(pattern.lower(), action.lower()) for pattern in as_list(statement["Action"]))
        and _is_of(statement, resource)
        and all(
            _holds(operator, keys.get(key.lower()), as_list(expected))
            for operator, tests in statement.get("Condition", {}).items()
            for key, expected in tests.items()
        )
    )


def _is_of(statement: Statement, resource: str) -> bool:
    """Whether a statement is about a resource: it names those that it is about, or those that it is not."""
    (key,) = {"Resource", "NotResource"} & set(statement)
    is_named = any(_like(pattern, resource) for pattern in as_list(statement[key]))
    return is_named is (key == "Resource")


def _like(pattern: str, text: str) -> bool:
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, text, re.DOTALL) is not None


def _equal(expected: str, given: str) -> bool:
    return str(expected) == str(given)


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringLike": _like,
    "ArnLike": _like,
    "ArnEquals": _like,  # the two are one: both take wildcards
    "Bool": lambda expected, given: str(expected).lower() == str(given).lower(),
    "NumericLessThan": lambda expected, given: float(given) < float(expected),
}


def _holds(operator: str, given: Any, expected: list[Any]) -> bool:
    if operator == "Null":
        (is_absent,) = expected
        return (given is None) == (str(is_absent).lower() == "true")
    every, _, name = operator.rpartition(":")
    assert every in ("", "ForAllValues"), f"{operator}: not known to this evaluator"
    assert name in _OPERATORS, f"{operator}: not known to this evaluator"
    if every:
        # Holds for no values at all, too: that is IAM's rule, and a trap.
        return all(any(_OPERATORS[name](one, value) for one in expected) for value in as_list(given or []))
    return given is not None and any(_OPERATORS[name](one, given) for one in expected)
