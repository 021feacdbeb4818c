"""The evaluator itself: where it erred, the tests that use it would prove nothing."""

import pytest

from tests.unit.infra.iam import is_allowed, is_denied

BUCKET = "arn:aws:s3:::lake"
ANYTHING = {"Effect": "Allow", "Action": "x:Y", "Resource": "*"}
READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": f"{BUCKET}/runs/*"}


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not is_allowed([], "s3:GetObject", BUCKET)
    assert not is_allowed([READ], "s3:PutObject", f"{BUCKET}/runs/a")


def test_a_deny_wins_over_every_allow() -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    assert not is_allowed([READ, deny, READ], "s3:GetObject", f"{BUCKET}/runs/a")
    assert is_denied([deny], "s3:GetObject", BUCKET)


def test_actions_match_in_any_case_and_resources_in_their_own() -> None:
    assert is_allowed([READ], "S3:getobject", f"{BUCKET}/runs/a/b")
    assert not is_allowed([READ], "s3:GetObject", f"{BUCKET}/RUNS/a")


def test_a_dot_is_no_wildcard() -> None:
    dotted = {**READ, "Resource": "arn:aws:s3:::repo.eu"}
    assert not is_allowed([dotted], "s3:GetObject", "arn:aws:s3:::repo-eu")


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, {"K": "a"}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringLike": {"k": "a-??"}}, {"k": "a-bc"}, True),
        ({"StringLike": {"k": "a-??"}}, {"k": "a-bcd"}, False),
        ({"StringLike": {"k": "a*"}}, {}, False),
        ({"ArnLike": {"k": "arn:aws:s3:::*"}}, {"k": "arn:aws:s3:::b"}, True),
        ({"Bool": {"k": "false"}}, {"k": False}, True),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.1"}, True),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.2"}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "a"}, False),
        ({"Null": {"k": "false"}}, {"k": "a"}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a"]}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
    ],
)
def test_conditions_hold_as_iam_says(condition: object, context: dict[str, object], holds: bool) -> None:
    assert is_allowed([{**ANYTHING, "Condition": condition}], "x:Y", "anything", context) is holds


def test_not_resource_is_about_all_but_what_it_names() -> None:
    statements = [{"Effect": "Allow", "Action": "x:Y", "NotResource": "arn:ours:*"}]
    assert is_allowed(statements, "x:Y", "arn:theirs:1")
    assert not is_allowed(statements, "x:Y", "arn:ours:1")


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "NotAction": "x:Y", "Resource": "*"},
        {"Effect": "Allow", "Action": "x:Y", "Resource": "*", "NotPrincipal": "*"},
        {"Effect": "Allow", "Action": "x:Y", "Resource": "*", "Condition": {"StringNotLike": {"k": "a"}}},
        {
            "Effect": "Allow",
            "Action": "x:Y",
            "Resource": "*",
            "Condition": {"ForAnyValue:StringLike": {"k": "a"}},
        },
    ],
)
def test_what_it_does_not_know_it_refuses(statement: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="not known"):
        is_allowed([statement], "x:Y", "anything")
