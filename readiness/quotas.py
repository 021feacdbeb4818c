"""Checks the account's vCPU quotas against the cluster of a nightly run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchard.settings.cluster import Fleet
from readiness.finding import Finding, failed, passed, skipped
from readiness.planned_cluster import PlannedCluster, plan_largest
from readiness.refusals import ask


@dataclass(frozen=True)
class Quota:
    """A quota of EC2, in vCPUs of standard instance types, which include c, m and r."""

    name: str
    code: str


ON_DEMAND = Quota("on-demand quota", "L-1216C47A")
SPOT = Quota("Spot quota", "L-34B43A08")


def check_quotas(quotas: Any, fleet: Fleet, planned: PlannedCluster) -> Iterator[Finding]:
    """Compare the quotas with the cluster. Other instances in the account are not considered."""
    largest = plan_largest(fleet)
    if planned.unknown:
        found = f"Orchard does not know the vCPUs of {', '.join(planned.unknown)}"
        yield skipped("quotas", found, "compare the EC2 quotas with the cluster by hand")
        return
    yield _check(quotas, ON_DEMAND, planned, (planned.on_demand, largest.on_demand))
    if fleet.task_nodes:
        yield _check(quotas, SPOT, planned, (planned.spot, largest.spot))


def _check(quotas: Any, quota: Quota, planned: PlannedCluster, vcpus: tuple[int, int]) -> Finding:
    needed, most = vcpus
    allowed = int(_find(quotas, quota))
    found = f"{allowed} vCPUs ({quota.code}); {planned.describe()} need {needed}"
    if allowed < needed:
        remedy = (
            f"aws service-quotas request-service-quota-increase --region {quotas.meta.region_name} "
            f"--service-code ec2 --quota-code {quota.code} --desired-value {max(needed, most)}; "
            "approval may take days"
        )
        return failed(quota.name, found, remedy)
    more = f", the largest cluster {most}" if most > needed else ""
    return passed(quota.name, f"{found}{more}{', which exceeds the quota' if most > allowed else ''}")


def _find(quotas: Any, quota: Quota) -> float:
    request = {"ServiceCode": "ec2", "QuotaCode": quota.code}
    found = ask(lambda: quotas.get_service_quota(**request), ("NoSuchResourceException",))
    found = found or quotas.get_aws_default_service_quota(**request)  # never changed
    value: float = found["Quota"]["Value"]
    return value
