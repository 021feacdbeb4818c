"""Every check, in turn. One that fails, is denied or breaks hides none of the others."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from readiness.account import check_credentials, check_region, explain_unknown_asker, identify
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
from readiness.target import Clients, Question, Target


@dataclass(frozen=True)
class Check:
    """Some findings that belong together, and what they are called where they could not be made."""

    name: str
    ask: Callable[[Target], Iterable[Finding]]


def run_preflight(question: Question, clients: Clients) -> Iterator[Finding]:
    """Yield all findings, each when it is made."""
    access, region = question.settings.access, clients.region
    yield check_region(region, access)
    identity = None
    if region is not None:
        try:
            identity = identify(clients.get("sts"))
            yield check_credentials(identity, access)
        except (ClientError, *UNREACHED) as error:
            yield explain_unknown_asker(error, region)
    if identity is None or region is None:
        yield from (skipped(check.name, "not asked", "see above") for check in CHECKS)
        return
    if question.mwaa_environment and not question.airflow_role:
        role = find_execution_role(clients.get("mwaa"), question.mwaa_environment)
        question = replace(question, airflow_role=role)
    cluster = plan_cluster(question.settings.fleet, question.new_images)
    target = Target(question, clients, region, identity, cluster)
    for check in CHECKS:
        yield from run_check(check, target)


def run_check(check: Check, target: Target) -> Iterator[Finding]:
    """Yield the findings of a check, and, where it ends with an error, one that says what that means."""
    try:
        yield from check.ask(target)
    except Exception as error:
        yield explain(check.name, error)


def count_outcomes(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each outcome."""
    found = [finding.outcome for finding in findings]
    return {outcome.value: found.count(outcome) for outcome in Outcome}


def describe(findings: Iterable[Finding]) -> str:
    """Return the answer in a sentence."""
    counts = count_outcomes(findings)
    said = f"{counts['pass']} passed, {counts['fail']} failed, {counts['skipped']} skipped"
    if counts["fail"]:
        return f"{said}: see to what failed before the first night."
    known = ", as far as is known" if counts["skipped"] else ""
    return f"{said}: nothing keeps a night from starting{known}."


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
    return check_topic(target.client("sns"), target.settings.signals, target.question.topic)


def _check_environment(target: Target) -> Iterable[Finding]:
    return check_environment(target.client("mwaa"), target.client("s3"), target.question.mwaa_environment)


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
