"""The list *Not proved*, in code and in infra/README.md; and what a canary says of it."""

import re

import pytest

from canary.checks import CHECKS
from canary.claims import CLAIMS, Claim, Verdict, judge_claims
from readiness.finding import Finding, failed, passed, skipped
from tests.support.checkout import ROOT

SECTION = (ROOT / "infra" / "README.md").read_text().split("## Not proved\n")[1]
ITEMS = dict(re.findall(r"^- `([a-z-]+)`: (.*?)(?=^- |\Z)", SECTION, re.MULTILINE | re.DOTALL))
NAMES = [check.name for check in CHECKS]


def judge(findings: list[Finding], **how: bool) -> dict[str, Verdict]:
    given = {"is_local": False, "has_role": True, **how}
    return {one.claim.name: one.verdict for one in judge_claims(findings, **given)}


def test_the_readme_and_the_code_have_the_same_items() -> None:
    assert list(ITEMS) == [claim.name for claim in CLAIMS]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_the_readme_names_the_checks_that_show_an_item_or_says_that_none_does(claim: Claim) -> None:
    assert {name for name in NAMES if f"`{name}`" in ITEMS[claim.name]} == {*claim.checks}
    says_that_none_does = "canary cannot show this" in " ".join(ITEMS[claim.name].split())
    assert says_that_none_does is (not claim.checks)


def test_every_check_that_a_claim_rests_on_is_made() -> None:
    assert {check for claim in CLAIMS for check in claim.checks} <= {*NAMES}


def test_a_claim_without_a_check_says_what_else_shows_it() -> None:
    assert [claim.name for claim in CLAIMS if not claim.checks and not claim.otherwise] == []


def test_what_has_passed_on_aws_is_proved_and_nothing_else() -> None:
    verdicts = judge([passed(name, "") for name in NAMES])
    proved = {name for name, verdict in verdicts.items() if verdict is Verdict.PROVED}
    assert proved == {claim.name for claim in CLAIMS if claim.checks}


def test_a_local_emr_proves_nothing_and_disproves_nothing() -> None:
    assert {*judge([passed(name, "") for name in NAMES], is_local=True).values()} == {Verdict.NOT_SHOWN}
    assert {*judge([failed(name, "", "x") for name in NAMES], is_local=True).values()} == {Verdict.NOT_SHOWN}


def test_permissions_of_the_airflow_role_are_proved_with_its_credentials_only() -> None:
    verdicts = judge([passed(name, "") for name in NAMES], has_role=False)
    assert verdicts["idle-time-permission"] is Verdict.NOT_SHOWN
    assert verdicts["idle-end"] is Verdict.PROVED


def test_a_failed_check_fails_what_rests_on_it_and_one_not_reached_leaves_it_open() -> None:
    verdicts = judge([passed("start", ""), failed("network", "EMR has added endpoints x", "x")])
    assert verdicts["one-group"] is Verdict.FAILED
    assert verdicts["system-buckets"] is Verdict.PROVED
    assert verdicts["event-logs"] is Verdict.NOT_SHOWN
    assert judge([passed("start", ""), skipped("network", "")])["one-group"] is Verdict.NOT_SHOWN
