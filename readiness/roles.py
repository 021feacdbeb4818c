"""The roles of a cluster, and whether EMR and EC2 may assume them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchard.settings.cluster import Fleet
from readiness.account import Identity
from readiness.finding import Finding, failed, passed
from readiness.refusals import ask

EMR, EC2 = "elasticmapreduce.amazonaws.com", "ec2.amazonaws.com"
MISSING = ("NoSuchEntity",)

Statement = Mapping[str, Any]


def name_of(role: str) -> str:
    """Return the name of a role or profile, which may be given as an ARN."""
    return role.rpartition("/")[2]


def check_service_role(iam: Any, fleet: Fleet, identity: Identity, region: str) -> Finding:
    """Check the role that EMR itself assumes."""
    check = "service role"
    role = find_role(iam, fleet.service_role)
    if role is None:
        remedy = "correct ORCHARD_SERVICE_ROLE: the stack's output ServiceRoleName has its name"
        return failed(check, f"there is no role {name_of(fleet.service_role)}", remedy)
    return check_trust(check, role, EMR, source_keys(identity, region))


def check_instance_profile(iam: Any, fleet: Fleet) -> Finding:
    """Check the nodes' role, which EC2 assumes through the instance profile."""
    check = "instance profile"
    role = find_node_role(iam, fleet)
    if role is None:
        remedy = "correct ORCHARD_INSTANCE_PROFILE: the stack's output InstanceProfile has its name"
        name = name_of(fleet.instance_profile)
        return failed(check, f"there is no instance profile {name} with a role", remedy)
    return check_trust(check, role, EC2, {})


def find_node_role(iam: Any, fleet: Fleet) -> dict[str, Any] | None:
    """Return the role in the instance profile; None if there is no profile, or it has no role."""
    name = name_of(fleet.instance_profile)
    found = ask(lambda: iam.get_instance_profile(InstanceProfileName=name), MISSING)
    return next(iter(found["InstanceProfile"]["Roles"]), None) if found else None


def find_role(iam: Any, role: str) -> dict[str, Any] | None:
    """Return a role; None if there is none."""
    found = ask(lambda: iam.get_role(RoleName=name_of(role)), MISSING)
    return found["Role"] if found else None


def check_trust(check: str, role: Mapping[str, Any], service: str, keys: Mapping[str, str]) -> Finding:
    """Check whether a service may assume a role. Only conditions on ``keys`` are evaluated."""
    statements = [one for one in _list_statements(role) if _names(one, service)]
    if not statements:
        found = f"{role['RoleName']} does not trust {service}"
        return failed(check, found, f"allow sts:AssumeRole to {service} in its trust policy")
    broken = [_find_broken(statement, keys) for statement in statements]
    if all(broken):
        found = f"{role['RoleName']} trusts {service} only under another condition: {broken[0]}"
        return failed(check, found, "correct the condition in its trust policy")
    return passed(check, f"{role['RoleName']} trusts {service}")


def source_keys(identity: Identity, region: str) -> dict[str, str]:
    """Return the condition keys of EMR's request to assume its role."""
    service = f"arn:{identity.partition}:elasticmapreduce:{region}:{identity.account}"
    return {"aws:sourceaccount": identity.account, "aws:sourcearn": f"{service}:cluster/j-1"}


def _list_statements(role: Mapping[str, Any]) -> Iterator[Statement]:
    document = role["AssumeRolePolicyDocument"]
    yield from as_list(document.get("Statement", ()) if isinstance(document, Mapping) else ())


def _names(statement: Statement, service: str) -> bool:
    principal = statement.get("Principal", {})
    services = as_list(principal.get("Service", ())) if isinstance(principal, Mapping) else as_list(principal)
    actions = {action.lower() for action in as_list(statement.get("Action", ()))}
    is_allowed = statement.get("Effect") == "Allow" and bool(actions & {"sts:assumerole", "sts:*", "*"})
    return is_allowed and bool({service, "*"} & {*services})


def _find_broken(statement: Statement, keys: Mapping[str, str]) -> str:
    """Return the first condition on one of ``keys`` that is not met; '' if there is none."""
    for operator, tests in statement.get("Condition", {}).items():
        if operator not in ("StringEquals", "StringLike", "ArnEquals", "ArnLike"):
            continue
        for key, expected in tests.items():
            given = keys.get(key.lower())
            if given is not None and not any(_like(one, given) for one in as_list(expected)):
                return f"{key} must be {', '.join(as_list(expected))}"
    return ""


def _like(pattern: str, text: str) -> bool:
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, text, re.DOTALL) is not None


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
