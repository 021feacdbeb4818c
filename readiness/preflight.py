"""Runs all checks. A check that fails, is denied or crashes does not hide the others."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from readiness.account import check_credentials, check_region, explain_unknown_caller, identify
from readiness.artefacts import check_code, check_model
from readiness.bucket import check_bucket_region, check_lake, check_scheme, list_buckets
from readiness.finding import Finding, Outcome, skipped
from readiness.mwaa import check_environment, find_execution_role
from readiness.network import (
    check_route,
    check_security_groups,
    check_subnets,
    check_vpcs,
    check_zones,
)
from readiness.permissions.simulation import check_node_permissions, check_permissions
from readiness.planned_cluster import plan_cluster
from readiness.quotas import check_quotas
from readiness.refusals import UNREACHED, explain
from readiness.release import check_release, check_security_configuration
from readiness.roles import check_instance_profile, check_service_role
from readiness.signals import check_database, check_queue, check_topic
from readiness.target import Clients, PreflightRequest, Target


@dataclass(frozen=True)
class Check:
    """A group of findings, and its name in case it cannot run."""

    name: str
    ask: Callable[[Target], Iterable[Finding]]


def run_preflight(request: PreflightRequest, clients: Clients) -> Iterator[Finding]:
    """Yield all findings, as they are made."""
    access, region = request.settings.access, clients.region
    yield check_region(region, access)
    identity = None
    if region is not None:
        try:
            identity = identify(clients.get("sts"))
            yield check_credentials(identity, access)
        except (ClientError, *UNREACHED) as error:
            yield explain_unknown_caller(error, region)
    if identity is None or region is None:
        yield from (skipped(check.name, "not checked", "see above") for check in CHECKS)
        return
    if request.mwaa_environment and not request.airflow_role:
        role = find_execution_role(clients.get("mwaa"), request.mwaa_environment)
        request = replace(request, airflow_role=role)
    cluster = plan_cluster(request.settings.fleet, request.new_images)
    target = Target(request, clients, region, identity, cluster)
    for check in CHECKS:
        yield from run_check(check, target)


def run_check(check: Check, target: Target) -> Iterator[Finding]:
    """Yield the findings of a check; if it raises an error, yield one that explains it."""
    try:
        yield from check.ask(target)
    except Exception as error:
        yield explain(check.name, error)


def count_outcomes(findings: Iterable[Finding]) -> dict[str, int]:
    """Return the number of findings by outcome."""
    found = [finding.outcome for finding in findings]
    return {outcome.value: found.count(outcome) for outcome in Outcome}


def describe(findings: Iterable[Finding]) -> str:
    """Summarize the findings in a sentence."""
    counts = count_outcomes(findings)
    summary = f"{counts['pass']} passed, {counts['fail']} failed, {counts['skipped']} skipped"
    if counts["fail"]:
        return f"{summary}: fix the failed checks before the first nightly run."
    known = ", as far as these checks can tell" if counts["skipped"] else ""
    return f"{summary}: a nightly run can start{known}."


def _check_release(target: Target) -> Iterable[Finding]:
    return check_release(target.client("emr"), target.settings.fleet)


def _check_security_configuration(target: Target) -> Iterable[Finding]:
    name = target.settings.fleet.security_configuration
    return check_security_configuration(target.client("emr"), name)


def _check_quotas(target: Target) -> Iterable[Finding]:
    return check_quotas(target.client("service-quotas"), target.settings.fleet, target.cluster)


def _check_subnets(target: Target) -> Iterable[Finding]:
    return check_subnets(target.subnets, target.settings.fleet, target.cluster, target.tag_rule)


def _check_zones(target: Target) -> Iterable[Finding]:
    return check_zones(target.client("ec2"), target.subnets, target.settings.fleet)


def _check_vpcs(target: Target) -> Iterable[Finding]:
    return check_vpcs(target.client("ec2"), target.subnets, target.tag_rule)


def _check_security_groups(target: Target) -> Iterable[Finding]:
    groups = target.settings.fleet.security_groups
    return check_security_groups(target.client("ec2"), groups, target.subnets, target.tag_rule)


def _check_routes(target: Target) -> Iterable[Finding]:
    return (check_route(target.client("ec2"), subnet, target.region) for subnet in target.subnets)


def _check_service_role(target: Target) -> Iterable[Finding]:
    fleet = target.settings.fleet
    yield check_service_role(target.client("iam"), fleet, target.identity, target.region)


def _check_instance_profile(target: Target) -> Iterable[Finding]:
    yield check_instance_profile(target.client("iam"), target.settings.fleet)


def _check_permissions(target: Target) -> Iterable[Finding]:
    return check_permissions(target.client("iam"), target)


def _check_node_permissions(target: Target) -> Iterable[Finding]:
    return check_node_permissions(target.client("iam"), target)


def _check_regions(target: Target) -> Iterable[Finding]:
    yield from check_scheme(target.settings.places)
    for bucket in list_buckets(target.settings.places):
        yield check_bucket_region(target.client("s3"), bucket, target.region)


def _check_lake(target: Target) -> Iterable[Finding]:
    return check_lake(target.client("s3"), target.settings.places.lake)


def _check_model(target: Target) -> Iterable[Finding]:
    return check_model(target.client("s3"), target.settings.places.model)


def _check_code(target: Target) -> Iterable[Finding]:
    return check_code(target.client("s3"), target.settings.places.code)


def _check_queue(target: Target) -> Iterable[Finding]:
    return check_queue(target.client("sqs"), target.settings.signals.queue_url)


def _check_topic(target: Target) -> Iterable[Finding]:
    return check_topic(target.client("sns"), target.settings.signals, target.request.topic)


def _check_environment(target: Target) -> Iterable[Finding]:
    return check_environment(target.client("mwaa"), target.client("s3"), target.request.mwaa_environment)


def _check_database(target: Target) -> Iterable[Finding]:
    return check_database(target.client("glue"), target.settings.signals.glue_database)


CHECKS = (
    Check("release", _check_release),
    Check("security configuration", _check_security_configuration),
    Check("quotas", _check_quotas),
    Check("subnets", _check_subnets),
    Check("zones", _check_zones),
    Check("VPC", _check_vpcs),
    Check("security groups", _check_security_groups),
    Check("routes to S3", _check_routes),
    Check("service role", _check_service_role),
    Check("instance profile", _check_instance_profile),
    Check("permissions", _check_permissions),
    Check("permissions of nodes", _check_node_permissions),
    Check("buckets", _check_regions),
    Check("lake", _check_lake),
    Check("model", _check_model),
    Check("code", _check_code),
    Check("SQS queue", _check_queue),
    Check("SNS topic", _check_topic),
    Check("Glue database", _check_database),
    Check("MWAA", _check_environment),
)
