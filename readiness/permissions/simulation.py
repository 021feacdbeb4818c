"""Queries IAM's policy simulator.

The simulator evaluates a role's policies, its permissions boundary and the organization's policies. It does
not know the policies of buckets, keys and queues, or conditions on keys that only a real request has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from readiness.finding import Finding, failed, passed, skipped
from readiness.permissions.requests import Request, list_node_requests, list_requests
from readiness.roles import find_node_role, find_role, name_of
from readiness.target import Target

GIVEN_KEYS = (
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:resourcetag/",
    "aws:tagkeys",
    "elasticmapreduce:executionrolearn",
    "iam:awsservicename",
    "iam:passedtoservice",
    "kms:viaservice",
    "s3:prefix",
)
"""Prefixes of the condition keys that Orchard's requests are known to have, or known not to have."""

SHOWN = 3
"""Number of actions to name if all are allowed."""


@dataclass(frozen=True)
class Principal:
    """The role or user whose policies are simulated.

    Args:
        name: Its name in findings.
        remedy: How to grant it missing permissions.
    """

    arn: str
    name: str
    remedy: str


def check_permissions(iam: Any, target: Target) -> Iterator[Finding]:
    """Simulate Airflow's calls; yield one finding per request."""
    found = find_principal(iam, target)
    if isinstance(found, Finding):
        yield found
        return
    name = name_of(found)
    remedy = f"attach the stack's policies to it: deploy infra/orchard.yaml with AirflowRole={name}"
    for request in list_requests(iam, target):
        yield check_request(iam, Principal(found, name, remedy), _add_region(request, target.region))


def check_node_permissions(iam: Any, target: Target) -> Iterator[Finding]:
    """Simulate the jobs' calls. ``roles`` reports a missing role."""
    role = find_node_role(iam, target.settings.fleet)
    if role is None:
        return
    remedy = f"correct the policies of {role['RoleName']}: compare NodeRole in infra/orchard.yaml"
    for request in list_node_requests(target):
        yield check_request(iam, Principal(role["Arn"], "nodes", remedy), _add_region(request, target.region))


def find_principal(iam: Any, target: Target) -> str | Finding:
    """Return the ARN of Airflow's role, or of the caller; a finding if it cannot be simulated."""
    given, arn = target.request.airflow_role, target.identity.arn
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if not given and kind == "user":
        return arn
    if not given and kind != "assumed-role":
        found = f"the policies of {arn} cannot be simulated"
        return skipped("permissions", found, "name Airflow's role: --airflow-role=NAME")
    # The ARN of a session lacks the path of its role.
    name = name_of(given) if given else rest.partition("/")[0]
    missing = failed("permissions", f"there is no role {name}", "correct --airflow-role")
    role = find_role(iam, name)
    return role["Arn"] if role else missing


def check_request(iam: Any, principal: Principal, request: Request) -> Finding:
    """Simulate the actions of one request on each of its resources."""
    check = f"{principal.name} may {request.label}"
    denied: list[str] = []
    unknown: set[str] = set()
    for resource in request.resources:
        results = {one["EvalActionName"]: one for one in _simulate(iam, principal.arn, request, resource)}
        for action in request.actions:
            result = results.get(action, {})
            if result.get("EvalDecision") != "allowed":
                denied.append(f"{action} on {resource}")
                unknown |= _find_unknown_keys(result)
    if not denied:
        return passed(check, _shorten(request.actions))
    if unknown:
        found = f"it depends on {', '.join(sorted(unknown))}, which only a real request has"
        return skipped(check, found, "check the policies with this condition key")
    return failed(check, f"denied: {'; '.join(denied)}", principal.remedy)


def _simulate(iam: Any, principal: str, request: Request, resource: str) -> Iterator[dict[str, Any]]:
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=list(request.actions),
        ResourceArns=[resource],
        ContextEntries=[_entry(key, value) for key, value in request.context.items()],
    )
    for page in pages:
        yield from page["EvaluationResults"]


def _add_region(request: Request, region: str) -> Request:
    """Return a request with its region, on which organizations' policies often depend."""
    return replace(request, context={**request.context, "aws:RequestedRegion": region})


def _find_unknown_keys(result: Mapping[str, Any]) -> set[str]:
    """Return the condition keys in policies whose values in Orchard's requests are unknown."""
    parts = (result, *result.get("ResourceSpecificResults", ()))  # IAM reports keys in either place
    keys = {key for part in parts for key in part.get("MissingContextValues", ())}
    return {key for key in keys if not key.lower().startswith(GIVEN_KEYS)}


def _entry(key: str, value: str | Sequence[str]) -> dict[str, Any]:
    if isinstance(value, str):
        return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
    return {"ContextKeyName": key, "ContextKeyValues": list(value), "ContextKeyType": "stringList"}


def _shorten(actions: Sequence[str]) -> str:
    """Format the actions of one service, naming only the first few."""
    service = actions[0].partition(":")[0]
    names = [action.partition(":")[2] for action in actions]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{service}: {', '.join(names[:SHOWN])}{more}"
