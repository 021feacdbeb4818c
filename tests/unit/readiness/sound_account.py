"""An account in which a night would start: infra/orchard.yaml on moto, and what moto lacks.

What moto does not know is answered here. botocore checks the requests against its service model first, and
the answers are checked against it as its Stubber does. IAM's simulator is the evaluator of
``tests/unit/infra``, on the policies of the template.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.validate import validate_parameters
from moto.ec2.models import ec2_backends
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from orchard.settings.settings import Settings
from readiness.artefacts import CODE
from readiness.finding import Finding, Outcome
from readiness.preflight import run_preflight
from readiness.signals import find_topic
from readiness.target import Clients, PreflightRequest
from tests.unit.infra.iam import is_allowed
from tests.unit.infra.policies import airflow, node, role_arn
from tests.unit.infra.stack import ACCOUNT, LAKE, REGION, Stack, deploy

MODEL = "models/4b8fe23a20cd"
TYPES = ("m5.xlarge", "m5a.xlarge", "m6a.xlarge", "m6i.xlarge", "m7i.xlarge")

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class RefusedError(Exception):
    """An answer of AWS that is an error."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


@dataclass
class SoundAccount:
    """The account, which tests then spoil.

    Args:
        answers: Operation to what AWS says to it; of operations that are not in it, moto says it.
        denied: Actions that the simulator denies, whatever the policies say.
        calls: Operations that were asked, with their parameters.
    """

    stack: Stack
    environ: dict[str, str]
    answers: dict[str, Answer] = field(default_factory=dict)
    supported: set[str] = field(default_factory=lambda: set(TYPES))
    quota: float = 256
    denied: set[str] = field(default_factory=set)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def refuse(self, *operations: str, code: str = "AccessDenied", status: int = 403) -> None:
        """Have AWS refuse these operations."""

        def refuse(_: dict[str, Any]) -> dict[str, Any]:
            raise RefusedError(code, status)

        self.answers |= dict.fromkeys(operations, refuse)

    def client(self, service: str) -> Any:
        """Return a client of the test's own, which moto alone answers."""
        return make_client(service, "test")

    def ask(self, new_images: int = 0, role: str = "airflow", mwaa: str = "") -> list[Finding]:
        settings = Settings.from_env(self.environ)
        topic = find_topic(settings.signals, self.environ)
        clients = Clients(settings.access.region)
        return list(run_preflight(PreflightRequest(settings, new_images, role, topic, mwaa), clients))

    def moto_subnet(self) -> Any:
        """Return moto's own object, for what no call of AWS changes."""
        return ec2_backends[ACCOUNT][REGION].get_subnet(self.stack.names["Subnet"])

    @contextmanager
    def answering(self) -> Iterator[Callable[[str], Any]]:
        """Yield what returns the clients of a preflight: they ask the answers first, then moto."""
        with ExitStack() as stack:

            @cache
            def get(service: str) -> Any:
                client = make_client(service, "preflight")
                service_id = client.meta.service_model.service_id.hyphenize()
                for event, handler in (
                    ("before-parameter-build", self._record),
                    ("before-call", self._answer),
                ):
                    client.meta.events.register(f"{event}.{service_id}", handler)
                    stack.callback(client.meta.events.unregister, f"{event}.{service_id}", handler)
                return client

            yield get

    def _record(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self.calls.append((model.name, dict(params)))

    def _answer(self, model: Any, **_: object) -> tuple[Any, dict[str, Any]] | None:
        if model.name not in self.answers:
            return None
        name, params = self.calls[-1]
        assert name == model.name
        try:
            answer = self.answers[name](params)
        except RefusedError as refusal:
            error = {"Code": refusal.code, "Message": f"{name} is refused"}
            metadata = {"HTTPStatusCode": refusal.status, "HTTPHeaders": {}}
            return SimpleNamespace(status_code=refusal.status), {"Error": error, "ResponseMetadata": metadata}
        validate_parameters(answer, model.output_shape)
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def describe_release(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["ReleaseLabel"] != "emr-spark-8.1.0":
            raise RefusedError("InvalidRequestException")
        return {"ReleaseLabel": "emr-spark-8.1.0", "Applications": [{"Name": "Spark", "Version": "4.1.1"}]}

    def list_types(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return one type a page."""
        names, at = sorted(self.supported), int(params.get("Marker", "0"))
        more = {"Marker": str(at + 1)} if at + 1 < len(names) else {}
        return {"SupportedInstanceTypes": [{"Type": names[at]}], **more}

    def list_policies(self, _: Mapping[str, Any]) -> dict[str, Any]:
        arns = self.stack.properties("ServiceRole")["ManagedPolicyArns"]
        return {
            "AttachedPolicies": [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]
        }

    def simulate(self, params: Mapping[str, Any]) -> dict[str, Any]:
        (resource,) = params["ResourceArns"]
        context = {
            entry["ContextKeyName"]: entry["ContextKeyValues"]
            if entry["ContextKeyType"] == "stringList"
            else entry["ContextKeyValues"][0]
            for entry in params["ContextEntries"]
        }
        is_node = params["PolicySourceArn"] == role_arn(self.stack, "NodeRole")
        statements = node(self.stack) if is_node else airflow(self.stack)
        results = [
            {
                "EvalActionName": action,
                "EvalDecision": "allowed"
                if is_allowed(statements, action, resource, context) and action not in self.denied
                else "implicitDeny",
            }
            for action in params["ActionNames"]
        ]
        return {"EvaluationResults": results, "IsTruncated": False}


@cache
def make_client(service: str, _user: str) -> Any:
    """Make a client once for all tests: that takes longer than a test."""
    return boto3.client(service, REGION)


def make_account() -> SoundAccount:
    """Deploy the template and what it needs beside it. Inside ``account()`` of the template's tests."""
    stack = deploy(AirflowRole="airflow", ImagesQueue="yes", NotificationTopic="yes", GlueDatabase="yes")
    connection = {"conn_type": "aws", "extra": {"topic_arn": stack.outputs["TopicArn"]}}
    environ = {
        **stack.environ,
        "ORCHARD_MODEL": f"s3://{LAKE}/{MODEL}",
        "ORCHARD_CODE": f"s3://{LAKE}/code/0847ef6bd432",
        "ORCHARD_NOTIFY_CONN_ID": "team",
        "AIRFLOW_CONN_TEAM": json.dumps(connection),
    }
    made = SoundAccount(stack, environ)
    made.answers |= {
        "DescribeReleaseLabel": made.describe_release,
        "ListAttachedRolePolicies": made.list_policies,  # moto does not know AWS's own policies
        "ListSupportedInstanceTypes": made.list_types,
        "GetServiceQuota": lambda _: {"Quota": {"Value": made.quota}},
        "SimulatePrincipalPolicy": made.simulate,
    }
    _add_what_moto_leaves_out(made)
    _upload(made)
    return made


def _add_what_moto_leaves_out(made: SoundAccount) -> None:
    s3, lake = made.client("s3"), made.stack.properties("Lake")
    s3.put_bucket_versioning(Bucket=LAKE, VersioningConfiguration=lake["VersioningConfiguration"])
    rules = [
        {
            "ID": "abort unfinished uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": lake["LifecycleConfiguration"]["Rules"][0][
                "AbortIncompleteMultipartUpload"
            ],
        }
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=LAKE, LifecycleConfiguration={"Rules": rules})
    blocks = lake["PublicAccessBlockConfiguration"]
    s3.put_public_access_block(Bucket=LAKE, PublicAccessBlockConfiguration=blocks)
    subnet, table = made.stack.names["Subnet"], made.stack.names["RouteTable"]
    made.client("ec2").associate_route_table(RouteTableId=table, SubnetId=subnet)
    # moto's CloudFormation puts it into us-east-1a, whatever the region.
    made.moto_subnet()._availability_zone = RegionsAndZonesBackend.zones[REGION][0]
    name = made.stack.environ["ORCHARD_GLUE_DATABASE"]
    made.client("glue").create_database(DatabaseInput={"Name": name})


def _upload(made: SoundAccount) -> None:
    card = {"id": "4b8fe23a20cd", "files": {"model.xml": "0", "model.bin": "1"}}
    objects = {
        f"{MODEL}/card.json": json.dumps(card),
        **{f"{MODEL}/{name}": "x" for name in card["files"]},
        **{f"code/0847ef6bd432/{name}": "x" for name in (*CODE, "wheelhouse.txt")},
    }
    for key, text in objects.items():
        made.client("s3").put_object(Bucket=LAKE, Key=key, Body=text.encode())


def list_failed(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.outcome is Outcome.FAIL]


def list_skipped(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.outcome is Outcome.SKIPPED]
