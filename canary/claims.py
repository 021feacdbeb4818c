"""The list *Not proved* of infra/README.md: each item, and the check of the canary that proves it on AWS.

A test holds that the two lists have the same items.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from readiness.finding import Finding, Outcome


class Verdict(StrEnum):
    """What is known of a claim after a canary."""

    PROVED = "proved"
    FAILED = "failed"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Claim:
    """Something that only AWS can show.

    Args:
        name: Its id, in infra/README.md too.
        text: What is claimed, in short.
        checks: Those which prove it together; none where a canary cannot.
        otherwise: What shows it where the canary cannot, or on which condition it does.
        needs_role: Whether it is proved only where the canary is run with Airflow's own role.
    """

    name: str
    text: str
    checks: tuple[str, ...] = ()
    otherwise: str = ""
    needs_role: bool = False


@dataclass(frozen=True)
class Judgement:
    """A claim, and what a canary says of it."""

    claim: Claim
    verdict: Verdict
    why: str

    def to_json(self) -> dict[str, str]:
        return {"claim": self.claim.name, "text": self.claim.text, "verdict": self.verdict, "why": self.why}


def judge_claims(findings: Iterable[Finding], *, is_local: bool, has_role: bool) -> Iterator[Judgement]:
    """Yield what the findings say of each claim.

    Args:
        is_local: Whether the clusters were a local EMR's: of AWS they prove nothing.
        has_role: Whether the canary had the credentials of Airflow's role.
    """
    outcomes = {finding.check: finding for finding in findings}
    for claim in CLAIMS:
        verdict, why = _judge(claim, outcomes)
        if is_local and claim.checks:
            verdict, why = Verdict.NOT_SHOWN, "a local EMR shows nothing of AWS"
        elif verdict is Verdict.PROVED and claim.needs_role and not has_role:
            verdict, why = Verdict.NOT_SHOWN, claim.otherwise
        yield Judgement(claim, verdict, why)


def _judge(claim: Claim, outcomes: dict[str, Finding]) -> tuple[Verdict, str]:
    if not claim.checks:
        return Verdict.NOT_SHOWN, f"the canary cannot show this: {claim.otherwise}"
    found = [outcomes.get(check) for check in claim.checks]
    for name, finding in zip(claim.checks, found, strict=True):
        if finding is not None and finding.outcome is Outcome.FAIL:
            return Verdict.FAILED, f"{name}: {finding.found}"
    for name, finding in zip(claim.checks, found, strict=True):
        if finding is None or finding.outcome is Outcome.SKIPPED:
            return Verdict.NOT_SHOWN, f"{name}: {finding.found if finding else 'not reached'}"
    return Verdict.PROVED, f"by {', '.join(claim.checks)}"


CLAIMS = (
    Claim(
        "two-endpoints", "EMR starts with the stack's two endpoints, and makes no other", ("start", "network")
    ),
    Claim("one-group", "EMR takes one security group for all nodes, and adds no rule", ("start", "network")),
    Claim(
        "system-buckets", "the gateway endpoint's policy lets through all that the release needs", ("start",)
    ),
    Claim(
        "idle-time-permission",
        "RunJobFlow with an idle time is allowed by the conditions on tags",
        ("creation", "idle cluster"),
        "run the canary with the credentials of Airflow's role, and name it: --airflow-role",
        needs_role=True,
    ),
    Claim(
        "idle-end", "EMR ends an idle cluster in a network without a way to the internet", ("idle cluster",)
    ),
    Claim("node-python", "a node finds a Python 3.11, or installs one", ("start", "logs of nodes")),
    Claim("event-logs", "the node role's rights are enough for Spark's event logs", ("event logs",)),
    Claim(
        "node-logs",
        "EMR writes the logs of steps and nodes with the node role's rights",
        ("logs of steps", "logs of nodes"),
    ),
    Claim(
        "watch",
        "EventBridge calls the function of watch.yaml, and EMR denies it others' clusters",
        otherwise="deploy watch.yaml, and end a cluster of the lake with a bootstrap action that fails",
    ),
    Claim(
        "service-policy",
        "AWS's AmazonEMRServicePolicy_v2 is what moto has",
        otherwise="compare the two: `aws iam get-policy-version`",
    ),
    Claim(
        "unknown-names",
        "EMR's answers to names that it does not know are those that preflight expects",
        otherwise="`ORCHARD_RELEASE=emr-0.0.0 orchard preflight` shows it",
    ),
    Claim(
        "simulator",
        "IAM's simulator allows what the tests' evaluator allows",
        otherwise="`orchard preflight --airflow-role` shows it",
    ),
    Claim(
        "managed-airflow",
        "MWAA's web server shows the pages of a plugin",
        otherwise="deploy to MWAA, and open Orchard's page there",
    ),
    Claim(
        "not-in-moto",
        "what moto does not make of the template",
        otherwise="deploying the stack shows it, and `orchard preflight` looks at bucket and queue",
    ),
)
