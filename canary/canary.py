"""Runs a canary: its checks, then the clean-up, whatever happened before."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from canary.checks import run_checks
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

UNINTERRUPTED = "Still cleaning up; Ctrl-C does not interrupt this. If you kill the process"

LOOK_INTERVAL = 5.0
"""Longest polling interval, in seconds, and so the resolution of the phases."""


@dataclass(frozen=True)
class Outcomes:
    """The results of a canary.

    Args:
        findings: Of the checks, in order, and of the clean-up.
        measured: Lines with measured values for the cost estimate.
        interrupted: Whether Ctrl-C or SIGTERM ended the checks.
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
    """Return the plan of a canary.

    Raises:
        OrchardError: if the settings name no subnets that a cluster can start in.
    """
    validate_subnets(settings)
    settings = replace(settings, access=replace(settings.access, aws_conn_id=None))
    cost = observe(RunIndex.open(settings.places.lake, settings.access), settings.cost)
    name = f"canary-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    return Plan(name, replace(settings, cost=cost), region, idle_wait)


def run_canary(plan: Plan, airflow_role: str, tell: Tell) -> Outcomes:
    """Run the checks and clean up. Ctrl-C and SIGTERM end the checks, but never the clean-up.

    Raises:
        OrchardError: if the lake already has as many clusters as allowed; nothing has been done then.
    """
    fleet = plan.own.fleet
    clusters = Clusters.of_region(plan.region, min(LOOK_INTERVAL, plan.own.waits.poll_interval))
    _validate_cluster_count(clusters, plan)
    session = Session(plan, clusters, Network(plan.region, fleet.subnets, fleet.security_groups), tell)
    findings: list[Finding] = []
    interrupted = False
    with Interruption(tell, lambda: f"{UNINTERRUPTED}: {describe_by_hand(session)}") as interruption:
        try:
            try:
                for finding in run_checks(session):
                    findings.append(finding)  # keep those found before an interruption
            finally:
                interruption.hold()
        except KeyboardInterrupt:
            interrupted = True
            tell("Interrupted: terminating the clusters and deleting what they wrote")
        except Exception as error:
            findings.append(
                failed("checks", first_line(error), "report a bug: a check should have caught this")
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
        # A local EMR starts immediately.
        measured=() if session.is_local else tuple(describe_measured(session.phases, boot_seconds)),
        is_local=session.is_local,
        interrupted=interrupted,
    )


def _validate_cluster_count(clusters: Clusters, plan: Plan) -> None:
    group = lake_clusters(plan.settings)
    alive = [cluster["Id"] for cluster in live_clusters(clusters.client, group)]
    if len(alive) >= group.most:
        raise OrchardError(
            f"{len(alive)} live clusters of this lake: {', '.join(alive)}",
            rule=f"the limit is ORCHARD_MAX_CLUSTERS={group.most}",
            remedy="Wait for their runs to end",
        )


def _has_role(region: str | None, airflow_role: str) -> bool:
    """Whether the credentials are those of Airflow's role."""
    if not airflow_role:
        return False
    try:
        arn: str = boto3.session.Session(region_name=region).client("sts").get_caller_identity()["Arn"]
    except (ClientError, BotoCoreError):
        return False
    return f":assumed-role/{airflow_role.rpartition('/')[2]}/" in arn
