"""A canary from its first check to the proof that it left nothing, whatever comes between."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from canary.checks import make_checks
from canary.claims import Judgement, judge_claims
from canary.clusters import Clusters
from canary.interruption import Interruption
from canary.network import Network
from canary.phases import Phase, describe_measured
from canary.plan import Plan
from canary.session import Session, Tell
from canary.traces import describe_by_hand, remove_traces
from orchard.emr.job_flow import lake_clusters, validate_subnets
from orchard.emr.observed_rates import observe
from orchard.lake.run_index import RunIndex
from orchard.lake.run_record import CostRecord
from orchard.settings.settings import Settings
from orchard_airflow.emr_api import live_clusters
from orchard_jobs.errors import OrchardError, first_line
from readiness.finding import Finding, Outcome, failed

UNINTERRUPTED = "Still cleaning up, which Ctrl-C does not interrupt. If you kill it"

LOOK_INTERVAL = 5.0
"""Seconds between two looks, at most: phases are not known better than that."""


@dataclass(frozen=True)
class Outcomes:
    """What came of a canary.

    Args:
        findings: Of its checks, in their order, and of its cleaning up.
        measured: Lines that say what an estimate may reckon with.
        interrupted: Whether somebody has ended it.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    judgements: tuple[Judgement, ...]
    phases: tuple[Phase, ...]
    costs: Mapping[str, CostRecord]
    measured: tuple[str, ...]
    is_local: bool
    interrupted: bool

    @property
    def has_failed(self) -> bool:
        return any(finding.outcome is Outcome.FAIL for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.plan.name,
            "is_local": self.is_local,
            "interrupted": self.interrupted,
            "findings": [finding.to_json() for finding in self.findings],
            "claims": [judgement.to_json() for judgement in self.judgements],
            "phases": [phase.to_json() for phase in self.phases],
            "costs": dict(self.costs),
            "measured": list(self.measured),
        }


def plan_canary(settings: Settings, region: str | None, idle_wait: float) -> Plan:
    """Return what a canary is going to do.

    Raises:
        OrchardError: where the settings name no network in which a cluster starts.
    """
    validate_subnets(settings)
    settings = replace(settings, access=replace(settings.access, aws_conn_id=None))
    cost = observe(RunIndex.open(settings.places.lake, settings.access), settings.cost)
    name = f"canary-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    return Plan(name, replace(settings, cost=cost), region, idle_wait)


def run_canary(plan: Plan, airflow_role: str, tell: Tell) -> Outcomes:
    """Make the checks and clean up. Ctrl-C and SIGTERM end the checks, and nothing ends the cleaning up.

    Raises:
        OrchardError: where there are as many clusters of the lake as there may be; nothing is done then.
    """
    fleet = plan.own.fleet
    clusters = Clusters.of_region(plan.region, min(LOOK_INTERVAL, plan.own.waits.poll_interval))
    _refuse_one_too_many(clusters, plan)
    session = Session(plan, clusters, Network(plan.region, fleet.subnets, fleet.security_groups), tell)
    findings: list[Finding] = []
    interrupted = False
    with Interruption(tell, lambda: f"{UNINTERRUPTED}: {describe_by_hand(session)}") as interruption:
        try:
            try:
                for finding in make_checks(session):
                    findings.append(finding)  # those before an interruption count
            finally:
                interruption.hold()
        except KeyboardInterrupt:
            interrupted = True
            tell("Interrupted: ending the clusters and deleting what they wrote")
        except Exception as error:
            findings.append(
                failed("checks", first_line(error), "tell of it: a check should have caught this")
            )
        findings.extend(remove_traces(session))
    has_role = not session.is_local and _has_role(plan.region, airflow_role)
    boot_seconds = plan.settings.cost.boot_seconds
    judgements = judge_claims(findings, is_local=session.is_local, has_role=has_role)
    return Outcomes(
        plan=plan,
        findings=tuple(findings),
        judgements=tuple(judgements),
        phases=tuple(session.phases),
        costs=session.costs,
        # A local EMR starts at once.
        measured=() if session.is_local else tuple(describe_measured(session.phases, boot_seconds)),
        is_local=session.is_local,
        interrupted=interrupted,
    )


def _refuse_one_too_many(clusters: Clusters, plan: Plan) -> None:
    group = lake_clusters(plan.settings)
    alive = [cluster["Id"] for cluster in live_clusters(clusters.client, group)]
    if len(alive) >= group.most:
        raise OrchardError(
            f"{len(alive)} live clusters of this lake: {', '.join(alive)}",
            rule=f"another is created where there are fewer than ORCHARD_MAX_CLUSTERS={group.most}",
            remedy="wait for their runs to end",
        )


def _has_role(region: str | None, airflow_role: str) -> bool:
    """Whether whoever asks is the role that Airflow runs as."""
    if not airflow_role:
        return False
    try:
        arn: str = boto3.session.Session(region_name=region).client("sts").get_caller_identity()["Arn"]
    except (ClientError, BotoCoreError):
        return False
    return f":assumed-role/{airflow_role.rpartition('/')[2]}/" in arn
