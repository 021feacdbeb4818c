"""Whether Airflow and the nodes may do what a night does, by IAM's own simulator.

The simulator knows a role's policies, its boundary and the organisation's; not the policies of buckets,
keys and queues, and no condition on what only a real request has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.lake.event_logs import event_log_folder
from orchard.lake.layout import Lake
from orchard.lake.objects import bucket_and_key
from readiness.finding import Finding, failed, passed, skipped
from readiness.refusals import code_of
from readiness.roles import EC2, EMR, MISSING, find_node_role, name_of
from readiness.target import Target

Context = Mapping[str, str | list[str]]
"""Condition keys of a request."""

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
"""Beginnings of the keys whose values Orchard's requests are known to have, or known not to have."""

USED = (
    *("AddJobFlowSteps", "CancelSteps", "DescribeCluster", "DescribeStep", "ListInstances", "ListSteps"),
    *("PutAutoTerminationPolicy", "TerminateJobFlows"),
)
"""What is done with a cluster that is there."""

SHOWN = 3
"""Actions that are named where all are allowed."""

NAME = "preflight"
"""Of a run, an object, a cluster: permissions go by what is around it."""


@dataclass(frozen=True)
class Request:
    """Calls on some resources."""

    label: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Principal:
    """Whose policies are simulated.

    Args:
        name: As the findings have it.
        remedy: What gives it what it lacks.
    """

    arn: str
    name: str
    remedy: str


def check_permissions(iam: Any, target: Target) -> Iterator[Finding]:
    """Simulate what Airflow does; one finding a request."""
    found = find_principal(iam, target)
    if isinstance(found, Finding):
        yield found
        return
    name = name_of(found)
    remedy = f"attach the stack's policies to it: deploy infra/orchard.yaml with AirflowRole={name}"
    for request in list_requests(iam, target):
        yield check_request(iam, Principal(found, name, remedy), _place(request, target.region))


def check_node_permissions(iam: Any, target: Target) -> Iterator[Finding]:
    """Simulate what the jobs do. Of a role that is not there, ``roles`` tells."""
    role = find_node_role(iam, target.settings.fleet)
    if role is None:
        return
    remedy = f"correct the policies of {role['RoleName']}: NodeRole of infra/orchard.yaml has what it takes"
    for request in list_node_requests(target):
        yield check_request(iam, Principal(role["Arn"], "nodes", remedy), _place(request, target.region))


def find_principal(iam: Any, target: Target) -> str | Finding:
    """Return the ARN of Airflow's role, or of whoever asks; a finding where it cannot be simulated."""
    asked, arn = target.airflow_role, target.identity.arn
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if not asked and kind == "user":
        return arn
    if not asked and kind != "assumed-role":
        found = f"the policies of {arn} cannot be simulated"
        return skipped("permissions", found, "give Airflow's role: --airflow-role=NAME")
    # The ARN of a session lacks the path of its role.
    name = name_of(asked) if asked else rest.partition("/")[0]
    missing = failed("permissions", f"there is no role {name}", "correct --airflow-role")
    return _find_role(iam, name) or missing


def check_request(iam: Any, principal: Principal, request: Request) -> Finding:
    """Simulate the calls of one request on each of its resources."""
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
        found = f"that depends on {', '.join(sorted(unknown))}, which only a real request has"
        return skipped(check, found, "look at the policies that name it")
    return failed(check, f"denied: {'; '.join(denied)}", principal.remedy)


def list_requests(iam: Any, target: Target) -> Iterator[Request]:
    """Yield what the DAGs call, as far as a night cannot do without it."""
    yield from list_emr_requests(target)
    yield from list_s3_requests(target)
    yield from list_signal_requests(target)
    yield from list_passed_roles(iam, target)  # last, because it asks what may be denied


def list_emr_requests(target: Target) -> Iterator[Request]:
    tags = run_tags("orchard_features", NAME, target.settings)
    flow = run_job_flow(tags, target.cluster.core_nodes, target.settings)
    given = {tag["Key"]: tag["Value"] for tag in flow["Tags"]}
    asked: Context = {"aws:TagKeys": list(given), **{f"aws:RequestTag/{key}": given[key] for key in given}}
    has: Context = {f"aws:ResourceTag/{key}": value for key, value in given.items()}
    cluster = (_arn(target, "elasticmapreduce", f"cluster/j-{NAME.upper()}"),)
    # What is being created has no id and no tags yet.
    new = (_arn(target, "elasticmapreduce", "cluster/*"),)
    yield Request("create clusters", ("elasticmapreduce:RunJobFlow",), ("*",), asked)
    yield Request("tag clusters", ("elasticmapreduce:AddTags",), new, asked)
    yield Request("find clusters", ("elasticmapreduce:ListClusters",), ("*",))
    yield Request("use and end clusters", tuple(f"elasticmapreduce:{name}" for name in USED), cluster, has)


def list_passed_roles(iam: Any, target: Target) -> Iterator[Request]:
    """Of roles that are not there, ``roles`` tells."""
    fleet = target.settings.fleet
    service, node = _find_role(iam, fleet.service_role), find_node_role(iam, fleet)
    if service:
        yield Request("give EMR its role", ("iam:PassRole",), (service,), {"iam:PassedToService": EMR})
    if node:
        yield Request(
            "give nodes their role", ("iam:PassRole",), (node["Arn"],), {"iam:PassedToService": EC2}
        )


def list_s3_requests(target: Target) -> Iterator[Request]:
    places, lake = target.settings.places, Lake(target.settings.places.lake)
    run = lake.run(NAME)
    get, put, delete = "s3:GetObject", "s3:PutObject", "s3:DeleteObject"
    _, folder = bucket_and_key(places.images)
    listed = {"s3:prefix": f"{folder}/"} if folder else {}
    own, images = _bucket(target, places.lake), _bucket(target, places.images)
    yield Request("list the lake", ("s3:ListBucket",), (own,))
    yield Request("list the images", ("s3:ListBucket",), (images,), listed)
    read = _objects(target, f"{places.model}/card.json", f"{places.logs}/{NAME}")
    yield Request("read the model and logs", (get,), read)
    yield Request("publish runs", (get, put), _objects(target, lake.latest, run.manifest, run.run_json))
    yield Request("keep the ledger", (get, put, delete), _objects(target, lake.ledger_entry(NAME)))
    if target.settings.nightly.retention_days:
        yield Request("delete old runs", (delete,), _objects(target, run.run_json))


def list_node_requests(target: Target) -> Iterator[Request]:
    """Yield what the jobs do on nodes."""
    places = target.settings.places
    run, logs = Lake(places.lake).run(NAME), places.logs
    get, put, delete = "s3:GetObject", "s3:PutObject", "s3:DeleteObject"
    uris = (f"{places.code}/run.py", f"{places.model}/card.json", f"{places.images}/{NAME}", run.manifest)
    yield Request("list the lake", ("s3:ListBucket",), (_bucket(target, places.lake),))
    yield Request("read code, model and images", (get,), _objects(target, *uris))
    written = _objects(target, f"{run.features}/{NAME}", f"{run.csv}/{NAME}")
    yield Request("write results", (get, put, delete, "s3:AbortMultipartUpload"), written)
    yield Request(
        "write logs", (put,), _objects(target, f"{logs}/{NAME}", f"{event_log_folder(logs)}/{NAME}")
    )


def list_signal_requests(target: Target) -> Iterator[Request]:
    signals = target.settings.signals
    if signals.queue_url:
        account, name = signals.queue_url.split("/")[-2:]
        queue = f"arn:{target.identity.partition}:sqs:{target.region}:{account}:{name}"
        yield Request("hear of new images", ("sqs:ReceiveMessage", "sqs:DeleteMessage"), (queue,))
    if target.topic:
        yield Request("tell of failures", ("sns:Publish",), (target.topic,))
    if database := signals.glue_database:
        resources = ("catalog", f"database/{database}", f"table/{database}/{NAME}")
        tables = ("CreateTable", "GetTable", "UpdateTable")
        partitions = ("BatchCreatePartition", "BatchDeletePartition", "GetPartitions")
        yield Request(
            "register runs in Glue",
            tuple(f"glue:{name}" for name in (*tables, *partitions)),
            tuple(_arn(target, "glue", resource) for resource in resources),
        )


def _find_role(iam: Any, role: str) -> str | None:
    """Return the ARN of a role by its name, without which its path is not known; None where there is none."""
    try:
        arn: str = iam.get_role(RoleName=name_of(role))["Role"]["Arn"]
    except ClientError as error:
        if code_of(error) != MISSING:
            raise
        return None
    return arn


def _simulate(iam: Any, principal: str, request: Request, resource: str) -> Iterator[dict[str, Any]]:
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=list(request.actions),
        ResourceArns=[resource],
        ContextEntries=[_entry(key, value) for key, value in request.context.items()],
    )
    for page in pages:
        yield from page["EvaluationResults"]


def _place(request: Request, region: str) -> Request:
    """Return a request with its region: what organisations deny often depends on that."""
    return replace(request, context={**request.context, "aws:RequestedRegion": region})


def _find_unknown_keys(result: Mapping[str, Any]) -> set[str]:
    """Return the condition keys that policies ask for and Orchard does not know of its requests."""
    parts = (result, *result.get("ResourceSpecificResults", ()))  # where IAM says it depends on the resource
    keys = {key for part in parts for key in part.get("MissingContextValues", ())}
    return {key for key in keys if not key.lower().startswith(GIVEN_KEYS)}


def _entry(key: str, value: str | Sequence[str]) -> dict[str, Any]:
    if isinstance(value, str):
        return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
    return {"ContextKeyName": key, "ContextKeyValues": list(value), "ContextKeyType": "stringList"}


def _shorten(actions: Sequence[str]) -> str:
    """Return actions of one service, which is named once; of many the first."""
    service = actions[0].partition(":")[0]
    names = [action.partition(":")[2] for action in actions]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{service}: {', '.join(names[:SHOWN])}{more}"


def _arn(target: Target, service: str, resource: str) -> str:
    identity = target.identity
    return f"arn:{identity.partition}:{service}:{target.region}:{identity.account}:{resource}"


def _bucket(target: Target, uri: str) -> str:
    return f"arn:{target.identity.partition}:s3:::{bucket_and_key(uri)[0]}"


def _objects(target: Target, *uris: str) -> tuple[str, ...]:
    return tuple(f"arn:{target.identity.partition}:s3:::{uri.removeprefix('s3://')}" for uri in uris)
