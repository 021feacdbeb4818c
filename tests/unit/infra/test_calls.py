"""Whatever Orchard calls, Airflow's role may; and it may nothing that nobody calls."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.client import BaseClient
from botocore.session import Session

from orchard.lake.compaction import KEPT
from orchard.lake.layout import Lake
from orchard.lake.ledger import LEDGER_SCHEMA
from orchard.lake.parquet import to_parquet
from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks
from orchard.workflow.trigger_form import params
from tests.unit.infra.iam import is_allowed
from tests.unit.infra.policies import (
    BUCKET,
    CLUSTER,
    airflow,
    allowed_actions,
    request_tags,
    resource_tags,
    tags_asked_for,
)
from tests.unit.infra.stack import LAKE, REGION, ROOT, Stack, account, deploy, settings_of

SOURCES = sorted([*(ROOT / "dags").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])

S3_ACTIONS = {
    "get_object": "s3:GetObject",
    "head_object": "s3:GetObject",
    "put_object": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "delete_objects": "s3:DeleteObject",
    "list_objects_v2": "s3:ListBucket",
    "head_bucket": "s3:ListBucket",
}
"""S3's permissions have other names than its operations; EMR's have the same."""

IMPLIED = {
    "elasticmapreduce:AddTags": "RunJobFlow with tags asks for it",
    "elasticmapreduce:PutAutoTerminationPolicy": "EMR's manual asks for it where a cluster ends when idle",
    "ec2:DescribeSpotPriceHistory": "emr.actual_cost, the only question to EC2",
}
"""What no operation of ours is named after, and who asks for it."""

HIDDEN: dict[str, set[str]] = {
    "emr": set(),
    "s3": set(),
    "base_aws": set(),
    "glue_catalog": {
        "glue:BatchCreatePartition",
        "glue:BatchDeletePartition",
        "glue:CreateTable",
        "glue:GetPartitions",
        "glue:GetTable",
        "glue:UpdateTable",
    },
    "sns": {"sns:Publish"},
    "sqs": {"sqs:DeleteMessage", "sqs:ReceiveMessage"},
}
"""Modules of the amazon provider that Orchard may use, and what they call where no client is seen."""


@cache
def operations(service_name: str) -> dict[str, str]:
    """Return the methods of a boto3 client, with the names of their operations."""
    model = Session().get_service_model(service_name)
    return {xform_name(name): name for name in model.operation_names}


def called(source: str) -> Iterator[str]:
    """Yield the names of all methods that a module calls, and of all that it pages."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute):
            yield call.func.attr
            if call.func.attr == "get_paginator" and isinstance(call.args[0], ast.Constant):
                yield str(call.args[0].value)


def operations_called() -> dict[str, set[str]]:
    """Return which methods of EMR's and S3's clients Orchard calls, and where."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for method in called(path.read_text()):
            if method in operations("emr") or (method in operations("s3") and method in S3_ACTIONS):
                found.setdefault(method, set()).add(path.name)
    return found


def action_of(method: str) -> str:
    return S3_ACTIONS.get(method) or f"elasticmapreduce:{operations('emr')[method]}"


def test_the_calls_are_found() -> None:
    source = (
        'client.run_job_flow(**x)\nawait client.describe_step()\nc.get_paginator("list_steps").paginate()'
    )
    assert {"run_job_flow", "describe_step", "list_steps"} <= set(called(source))
    assert operations_called()["run_job_flow"] == {"create_cluster.py"}
    assert "list_clusters" in operations_called()


@pytest.mark.parametrize("method", sorted(operations_called()))
def test_airflow_may_call(method: str, plain: Stack, settings: Settings) -> None:
    tags = tags_asked_for(settings)
    resources = {
        "s3:ListBucket": BUCKET,
        "s3:DeleteObject": f"{BUCKET}/ledger/r.parquet",
        "s3:GetObject": f"{BUCKET}/latest.json",
        "s3:PutObject": f"{BUCKET}/latest.json",
        "elasticmapreduce:RunJobFlow": "*",
        "elasticmapreduce:ListClusters": "*",
    }
    action = action_of(method)
    keys = {**request_tags(tags), **resource_tags(tags)}
    where = ", ".join(sorted(operations_called()[method]))
    assert is_allowed(airflow(plain), action, resources.get(action, CLUSTER), keys), (
        f"{where} calls {method}: allow {action} in AirflowPolicy of infra/orchard.yaml, or do without"
    )


def test_airflow_may_nothing_that_nobody_calls(plain: Stack) -> None:
    granted = {action for action in allowed_actions(airflow(plain)) if not action.startswith("iam:")}
    assert granted - set(IMPLIED) == {action_of(method) for method in operations_called()}


def test_no_other_method_of_s3_is_called() -> None:
    """One that is not in the table would pass unseen; these names are no other library's."""
    unmistakable = {
        name for name in operations("s3") if name.endswith(("_object", "_objects", "_bucket", "_v2"))
    }
    for path in SOURCES:
        unknown = set(called(path.read_text())) & (unmistakable - set(S3_ACTIONS))
        assert not unknown, f"{path.name} calls {unknown}: add it to S3_ACTIONS"


def provider_modules(path: Path) -> set[str]:
    """Return the modules of the amazon provider that a source names: ``emr``, ``s3``, …"""
    return set(re.findall(r"airflow\.providers\.amazon\.aws\.\w+\.(\w+)", path.read_text()))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_other_services_are_called_only_where_airflow_may(path: Path, given: Stack) -> None:
    """With the topic and the queue made."""
    for module in provider_modules(path):
        assert module in HIDDEN, f"{path.name} uses {module}: allow its calls in infra/, and say so here"
        assert HIDDEN[module] <= allowed_actions(airflow(given))
    assert "boto3.client" not in path.read_text(), "ask the provider's hooks: they know the connection"


def test_with_the_options_airflow_may_nothing_more_than_they_are_for(plain: Stack, given: Stack) -> None:
    used = {action for path in SOURCES for module in provider_modules(path) for action in HIDDEN[module]}
    more = allowed_actions(airflow(given)) - allowed_actions(airflow(plain))
    assert more == used | {"kms:Decrypt", "kms:GenerateDataKey"}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Every request that boto3 sends, as method and parameters."""
    sent: list[tuple[str, dict[str, Any]]] = []
    send = BaseClient._make_api_call

    def record(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        sent.append((xform_name(operation), parameters))
        return send(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return sent


def test_every_request_of_a_night_is_allowed(requests: list[tuple[str, dict[str, Any]]]) -> None:
    """Looking for images in an empty lake, and in one with runs, and compacting it: as moto gets them."""
    with account():
        stack = deploy()
        settings = settings_of(stack)
        s3 = boto3.client("s3", REGION)
        s3.put_object(Bucket=LAKE, Key="models/4b8fe23a20cd/card.json", Body=b'{"id": "m"}')
        s3.put_object(Bucket=LAKE, Key="images/apple/1.jpg", Body=b"1")
        requests.clear()
        assert run_of(settings, "first").sense().is_done
        sent = list(requests)
        publish_runs(s3, settings, count=KEPT + 2)
        requests.clear()
        assert run_of(settings, "second").sense().is_done
        assert run_of(settings, "second").compact() == ["r0", "r1"]
        sent += requests
    assert {method for method, _ in sent} == {*S3_ACTIONS} - {"head_object", "delete_objects"}
    assert refused_of(stack, sent) == []


def test_every_request_of_retention_is_allowed_where_it_is_wanted_and_not_elsewhere(
    plain: Stack, requests: list[tuple[str, dict[str, Any]]]
) -> None:
    with account():
        stack = deploy(Retention="yes")
        settings = settings_of(stack, ORCHARD_RETENTION_DAYS="30")
        publish_runs(boto3.client("s3", REGION), settings, count=2)
        requests.clear()
        assert run_of(settings, "r1").compact() == ["r0"]
    assert refused_of(stack, requests) == []
    assert {resource.rpartition("/")[2] for resource in refused_of(plain, requests)} == {
        "run.json",
        "features.csv",
    }


def refused_of(stack: Stack, sent: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the objects and buckets of requests that Airflow may not send."""
    found = []
    for method, parameters in sent:
        place = f"arn:aws:s3:::{parameters['Bucket']}"
        resource = f"{place}/{parameters['Key']}" if "Key" in parameters else place
        if not is_allowed(airflow(stack), S3_ACTIONS[method], resource):
            found.append(resource)
    return found


def run_of(settings: Settings, run_id: str) -> RunTasks:
    chosen = {name: param.value for name, param in params(settings).items()}
    return RunTasks("orchard_features", run_id, chosen, None, settings)


def publish_runs(s3: Any, settings: Settings, count: int) -> None:
    """Leave behind what so many published runs would."""
    lake = Lake(settings.places.lake)
    published = {"published_at": "2020-02-02T02:02:02+00:00", "basis_id": "b"}
    of = {"images": settings.places.images, "model": "m", **published}
    runs = [{"run": f"r{n}", **of} for n in range(count)]
    ledger = to_parquet(LEDGER_SCHEMA.empty_table())
    objects = {lake.latest: json.dumps({"run": runs[-1]["run"], "runs": runs}).encode()}
    for run in runs:
        folder = lake.run(run["run"])
        objects |= {lake.ledger_entry(run["run"]): ledger, folder.statistics: b"x", folder.earlier: b"x"}
        objects |= {folder.run_json: json.dumps(published).encode(), f"{folder.csv}/features.csv": b"x"}
    for uri, data in objects.items():
        s3.put_object(Bucket=LAKE, Key=uri.removeprefix(f"s3://{LAKE}/"), Body=data)
