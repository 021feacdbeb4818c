"""The AWS calls that a nightly run depends on: actions, resources, condition keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.lake.event_logs import event_log_folder
from orchard.lake.layout import Lake
from orchard.lake.objects import bucket_and_key
from readiness.roles import EC2, EMR, find_node_role, find_role
from readiness.target import Target

Context = Mapping[str, str | list[str]]
"""Condition keys of a request."""

USED = (
    *("AddJobFlowSteps", "CancelSteps", "DescribeCluster", "DescribeStep", "ListInstances", "ListSteps"),
    *("PutAutoTerminationPolicy", "TerminateJobFlows"),
)
"""Actions on an existing cluster."""

NAME = "preflight"
"""Name of a fictitious run, object and cluster: permissions depend only on the rest of an ARN."""


@dataclass(frozen=True)
class Request:
    """Actions on some resources."""

    label: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Context = field(default_factory=dict)


def list_requests(iam: Any, target: Target) -> Iterator[Request]:
    """Yield the calls that the DAGs depend on."""
    yield from list_emr_requests(target)
    yield from list_s3_requests(target)
    yield from list_signal_requests(target)
    yield from list_passed_roles(iam, target)  # last, because the caller may not be allowed to read roles


def list_emr_requests(target: Target) -> Iterator[Request]:
    tags = run_tags("orchard_features", NAME, target.settings)
    flow = run_job_flow(tags, target.cluster.core_nodes, target.settings)
    given = {tag["Key"]: tag["Value"] for tag in flow["Tags"]}
    requested: Context = {
        "aws:TagKeys": list(given),
        **{f"aws:RequestTag/{key}": given[key] for key in given},
    }
    has: Context = {f"aws:ResourceTag/{key}": value for key, value in given.items()}
    cluster = (_arn(target, "elasticmapreduce", f"cluster/j-{NAME.upper()}"),)
    # A cluster that is being created has no id and no tags yet.
    new = (_arn(target, "elasticmapreduce", "cluster/*"),)
    yield Request("create clusters", ("elasticmapreduce:RunJobFlow",), ("*",), requested)
    yield Request("tag clusters", ("elasticmapreduce:AddTags",), new, requested)
    yield Request("find clusters", ("elasticmapreduce:ListClusters",), ("*",))
    yield Request(
        "use and terminate clusters", tuple(f"elasticmapreduce:{name}" for name in USED), cluster, has
    )


def list_passed_roles(iam: Any, target: Target) -> Iterator[Request]:
    """Yield the roles that Airflow passes to AWS. ``roles`` reports missing ones."""
    fleet = target.settings.fleet
    service, node = find_role(iam, fleet.service_role), find_node_role(iam, fleet)
    if service:
        yield Request("pass EMR its role", ("iam:PassRole",), (service["Arn"],), {"iam:PassedToService": EMR})
    if node:
        yield Request(
            "pass nodes their role", ("iam:PassRole",), (node["Arn"],), {"iam:PassedToService": EC2}
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
    """Yield the calls that the jobs depend on."""
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
        yield Request("receive events of new images", ("sqs:ReceiveMessage", "sqs:DeleteMessage"), (queue,))
    if target.request.topic:
        yield Request("send alerts", ("sns:Publish",), (target.request.topic,))
    if database := signals.glue_database:
        resources = ("catalog", f"database/{database}", f"table/{database}/{NAME}")
        tables = ("CreateTable", "GetTable", "UpdateTable")
        partitions = ("BatchCreatePartition", "BatchDeletePartition", "GetPartitions")
        yield Request(
            "register runs in Glue",
            tuple(f"glue:{name}" for name in (*tables, *partitions)),
            tuple(_arn(target, "glue", resource) for resource in resources),
        )


def _arn(target: Target, service: str, resource: str) -> str:
    identity = target.identity
    return f"arn:{identity.partition}:{service}:{target.region}:{identity.account}:{resource}"


def _bucket(target: Target, uri: str) -> str:
    return f"arn:{target.identity.partition}:s3:::{bucket_and_key(uri)[0]}"


def _objects(target: Target, *uris: str) -> tuple[str, ...]:
    return tuple(f"arn:{target.identity.partition}:s3:::{uri.removeprefix('s3://')}" for uri in uris)
