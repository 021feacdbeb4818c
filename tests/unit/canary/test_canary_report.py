"""The report: everything that was found, and nothing of the account."""

from canary.canary import Outcomes
from canary.claims import judge_claims
from canary.phases import Phase, describe_measured
from canary.plan import Plan
from canary.report import build_report
from orchard.settings.settings import Settings
from readiness.finding import failed, passed, skipped

NAME = "canary-20261127T105800-0a1b"
ENVIRON = {
    "ORCHARD_LAKE": "s3://orchard-123456789012-eu-west-3",
    "ORCHARD_MODEL": "s3://orchard-123456789012-eu-west-3/models/m",
    "ORCHARD_SUBNETS": "subnet-1",
}


def build(**changes: bool) -> str:
    findings = (
        passed("start", "ready after 412 s"),
        failed(
            "CSV", "a | <b> of arn:aws:iam::123456789012:role/x", "read s3://orchard-123456789012-eu-west-3/x"
        ),
        skipped("network", "nothing to compare"),
    )
    given = {"is_local": False, "interrupted": False, **changes}
    phases = (Phase("start of the cluster", 412.4, "EMR's timeline"),)
    outcomes = Outcomes(
        plan=Plan(NAME, Settings.from_env(ENVIRON), "eu-west-3", 900.0),
        findings=findings,
        judgements=tuple(judge_claims(findings, is_local=given["is_local"], has_role=False)),
        phases=phases,
        costs={},
        measured=tuple(describe_measured(phases, 480)),
        **given,
    )
    return build_report(outcomes, "0.1.0", "0847ef6bd432")


def test_it_has_no_account_id() -> None:
    assert "123456789012" not in build()
    assert "arn:aws:iam::************:role/x" in build()


def test_names_that_others_chose_break_no_table() -> None:
    (row,) = [line for line in build().splitlines() if line.startswith("| CSV |")]
    assert row.startswith("| CSV | failed | a \\| &lt;b> of arn:")


def test_it_says_what_is_proved_failed_and_not_shown() -> None:
    lines = build().splitlines()
    assert "| start | proved | ready after 412 s |  |" in lines
    assert "| network | not shown | nothing to compare |  |" in lines
    assert any(line.startswith("| system-buckets |") and "| proved | by start |" in line for line in lines)
    assert any(line.startswith("| watch |") and "the canary cannot show this" in line for line in lines)


def test_seconds_that_were_measured_are_a_setting() -> None:
    assert "- ORCHARD_BOOT_SECONDS=412 (the estimate assumes 480)" in build().splitlines()


def test_a_local_emr_and_an_interruption_are_named() -> None:
    assert "a local EMR, which proves nothing about AWS" in build(is_local=True)
    assert "| ended | interrupted |" in build(interrupted=True)
