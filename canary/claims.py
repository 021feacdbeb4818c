"""The list *Not proved* of infra/README.md, with the canary's checks that prove each item on AWS.

A test compares the two lists.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from readiness.finding import Finding, Outcome


class Verdict(StrEnum):
    """The state of a claim after a canary."""

    PROVED = "proved"
    FAILED = "failed"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Claim:
    """Something that only AWS can show.

    Args:
        name: Its id, also in infra/README.md.
        text: The claim, in short.
        checks: The checks that prove it together; none if a canary cannot.
        otherwise: What proves it if the canary cannot, or what the canary needs to prove it.
        needs_role: Whether only a canary with the credentials of Airflow's role proves it.
    """

    name: str
    text: str
    checks: tuple[str, ...] = ()
    otherwise: str = ""
    needs_role: bool = False


@dataclass(frozen=True)
class Judgement:
    """The verdict of a canary on a claim."""

    claim: Claim
    verdict: Verdict
    why: str

    def to_json(self) -> dict[str, str]:
        return {"claim": self.claim.name, "text": self.claim.text, "verdict": self.verdict, "why": self.why}


def judge_claims(findings: Iterable[Finding], *, is_local: bool, has_role: bool) -> Iterator[Judgement]:
    """Yield the verdict on each claim.

    Args:
        is_local: Whether the EMR was a local one, which proves nothing about AWS.
        has_role: Whether the canary had the credentials of Airflow's role.
    """
    outcomes = {finding.check: finding for finding in findings}
    for claim in CLAIMS:
        verdict, why = _judge(claim, outcomes)
        if is_local and claim.checks:
            verdict, why = Verdict.NOT_SHOWN, "a local EMR proves nothing about AWS"
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
        "two-endpoints",
        "EMR starts with the stack's two endpoints, and creates no other",
        ("start", "network"),
    ),
    Claim("one-group", "EMR takes one security group for all nodes, and adds no rule", ("start", "network")),
    Claim(
        "system-buckets",
        "the gateway endpoint's policy allows all buckets that the release needs",
        ("start",),
    ),
    Claim(
        "idle-time-permission",
        "the conditions on tags allow RunJobFlow with an idle timeout",
        ("creation", "idle cluster"),
        "run the canary with the credentials of Airflow's role, and name it: --airflow-role",
        needs_role=True,
    ),
    Claim(
        "idle-end", "EMR terminates an idle cluster in a network without internet access", ("idle cluster",)
    ),
    Claim("node-python", "a node has Python 3.11, or installs it", ("start", "logs of nodes")),
    Claim("event-logs", "the node role's rights are enough for Spark's event logs", ("event logs",)),
    Claim(
        "node-logs",
        "the node role's rights are enough for the logs of steps and nodes",
        ("logs of steps", "logs of nodes"),
    ),
    Claim(
        "watch",
        "EventBridge calls the function of watch.yaml, and EMR denies it other clusters",
        otherwise="deploy watch.yaml, and start a cluster of the lake with a failing bootstrap action",
    ),
    Claim(
        "service-policy",
        "AWS's AmazonEMRServicePolicy_v2 equals moto's copy",
        otherwise="compare the two: `aws iam get-policy-version`",
    ),
    Claim(
        "unknown-names",
        "EMR answers unknown names with the errors that preflight expects",
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
        "environment-versions",
        "an environment takes the newest objects, and an update the versions that `orchard deploy` names",
        otherwise="`orchard deploy --environment` shows it: it waits for the versions and prints them",
    ),
    Claim(
        "environment-role",
        "MWAA needs no more rights, no other log groups, and no other way out than the stack has",
        otherwise="deploying managed_airflow.yaml shows it: the environment becomes AVAILABLE",
    ),
    Claim(
        "not-in-moto",
        "the parts of the templates that moto does not implement",
        otherwise="deploying the stacks shows it, and `orchard preflight` checks bucket and queue",
    ),
)
