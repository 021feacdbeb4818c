"""The report of a canary in Markdown, to attach to an issue: no account ids, no secrets. Pure."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from canary.canary import Outcomes
from orchard.emr.actual_cost import format_bill
from orchard.emr.cost_estimate import format_estimate
from readiness.finding import Outcome

WORDS = {Outcome.PASS: "proved", Outcome.FAIL: "failed", Outcome.SKIPPED: "not shown"}

ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")


def build_report(outcomes: Outcomes, version: str, code: str) -> str:
    """Return the report.

    Args:
        version: Version of the command.
        code: Revision of the jobs.
    """
    plan, fleet = outcomes.plan, outcomes.plan.own.fleet
    where = "a local EMR, which proves nothing about AWS" if outcomes.is_local else f"AWS, {plan.region}"
    facts = [
        ("when", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("where", where),
        ("release", fleet.release),
        (
            "instances",
            f"1 primary ({', '.join(fleet.primary_types)}), 1 core ({', '.join(fleet.core_types)})",
        ),
        ("orchard", version),
        ("code", code),
        ("ended", "interrupted" if outcomes.interrupted else "normally"),
    ]
    parts = [
        f"# Canary {plan.name}",
        _table(("", ""), facts),
        "## Checks",
        _table(
            ("check", "outcome", "found", "remedy"),
            [(one.check, WORDS[one.outcome], one.found, one.remedy) for one in outcomes.findings],
        ),
        "## Not proved before",
        _table(
            ("item", "claim", "verdict", "why"),
            [(one.claim.name, one.claim.text, one.verdict, one.why) for one in outcomes.judgements],
        ),
        "## Seconds",
        _table(
            ("phase", "seconds", "source"),
            [
                (f"{'of it: ' if one.is_part else ''}{one.name}", f"{one.seconds:.1f}", one.source)
                for one in outcomes.phases
            ],
        ),
        *([_list(outcomes.measured)] if outcomes.measured else []),
        "## Dollars",
        _list(
            [
                *(f"estimate: {format_estimate(one)}" for one in plan.estimates()),
                *(f"{name}: {format_bill(cost)}" for name, cost in outcomes.costs.items()),
                *(
                    ["Local runs cost nothing: this is what AWS would have cost."]
                    if outcomes.is_local
                    else []
                ),
            ]
        ),
    ]
    return mask_accounts("\n\n".join(parts)) + "\n"


def mask_accounts(text: str) -> str:
    """Replace everything that looks like an account id."""
    return ACCOUNT.sub("************", text)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_escape, line))} |" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _escape(cell: str) -> str:
    """Escape table and HTML markup: names are untrusted."""
    return " ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;")
