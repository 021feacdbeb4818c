"""infra/watch.yaml: clusters of the lake are ended and told of without Airflow. Its function runs on moto."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends

from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.settings.cluster import Limits
from orchard.settings.settings import Settings
from tests.unit.infra.iam import Statement, as_list, is_allowed
from tests.unit.infra.policies import (
    BUCKET,
    CLUSTER,
    STRANGER,
    actions_of,
    allowed_actions,
    resource_tags,
    resources_of,
    tags_asked_for,
)
from tests.unit.infra.stack import ACCOUNT, LAKE, REGION, WATCH, Stack, account, deploy, template

HOURLY = {"source": "aws.events", "detail-type": "Scheduled Event"}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The stack, in an account with the lake; the environment is that of its function."""
    with account():
        s3 = boto3.client("s3", REGION)
        s3.create_bucket(Bucket=LAKE, CreateBucketConfiguration={"LocationConstraint": REGION})
        stack = deploy(WATCH, Lake=LAKE, Email="me@example.org", QuietHours="50")
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        for name, value in stack.properties("Function")["Environment"]["Variables"].items():
            monkeypatch.setenv(name, str(value))
        yield stack


def call(stack: Stack, event: dict[str, Any], hours_later: float = 0) -> list[str]:
    """Call the function as Lambda does."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(hours=hours_later)

    module: dict[str, Any] = {}
    exec(stack.properties("Function")["Code"]["ZipFile"], module)
    module["datetime"] = Later
    told: list[str] = module[stack.properties("Function")["Handler"].rpartition(".")[2]](event, None)
    return told


def messages() -> list[str]:
    """Return what the topic was told."""
    topics = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics.values()
    return [message for topic in topics for (_, message, *_) in topic.sent_notifications]


def start(settings: Settings, run_id: str = "manual__2026", **changes: Any) -> str:
    request = {**run_job_flow(run_tags("orchard_features", run_id, settings), 1, settings), **changes}
    return str(boto3.client("emr", REGION).run_job_flow(**request)["JobFlowId"])


def state_of(cluster_id: str) -> str:
    found = boto3.client("emr", REGION).describe_cluster(ClusterId=cluster_id)
    return str(found["Cluster"]["Status"]["State"])


def test_a_cluster_of_the_lake_that_is_too_old_is_ended_and_told_once(
    watch: Stack, settings: Settings
) -> None:
    cluster_id = start(settings)
    assert call(watch, HOURLY, hours_later=12.9) == []
    assert state_of(cluster_id) == "WAITING"
    (told,) = call(watch, HOURLY, hours_later=13.1)
    assert re.fullmatch(rf"Cluster {cluster_id} \(orchard_features .*\), 13\.1 h old, is being ended", told)
    assert state_of(cluster_id).startswith("TERMINAT")
    assert call(watch, HOURLY, hours_later=14) == []


def test_clusters_of_others_are_left_alone(watch: Stack, settings: Settings) -> None:
    lake = {"ORCHARD_LAKE": f"s3://{LAKE}-2", "ORCHARD_MODEL": "s3://m/m"}
    others = [start(Settings.from_env(lake)), start(settings, Tags=[], Name="no tags")]
    assert call(watch, HOURLY, hours_later=100) == []
    assert [state_of(other) for other in others] == ["WAITING", "WAITING"]


def test_clusters_that_it_may_not_even_describe_are_no_error(
    watch: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM denies it those without the lake's tag; moto denies nothing."""

    class Denying:
        def __init__(self, client: Any) -> None:
            self.client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self.client, name)

        def describe_cluster(self, **_: str) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeCluster")

    start(settings)
    client = boto3.client
    monkeypatch.setattr(
        boto3, "client", lambda name, *_: Denying(client(name)) if name == "emr" else client(name)
    )
    assert call(watch, HOURLY, hours_later=100) == []
    assert call(watch, failure_of("j-1")) == []


def test_one_that_cannot_be_ended_is_told_and_keeps_no_other_alive(
    watch: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    instances = run_job_flow(run_tags("d", "r", settings), 1, settings)["Instances"]
    guarded = start(settings, Instances={**instances, "TerminationProtected": True})
    other = start(settings, "another")
    told = "\n".join(call(watch, HOURLY, hours_later=20))
    assert f"{guarded} (" in told
    assert "could not be ended: An error occurred (ValidationException)" in told
    assert state_of(guarded) == "WAITING"
    assert state_of(other).startswith("TERMINAT")


def failure_of(cluster_id: str) -> dict[str, Any]:
    """The event as AWS documents it: https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-emr.html"""
    detail = {"severity": "CRITICAL", "clusterId": cluster_id, "state": "TERMINATED_WITH_ERRORS", "name": "x"}
    return {"source": "aws.emr", "detail-type": "EMR Cluster State Change", "detail": detail}


def test_a_cluster_of_the_lake_that_ends_with_errors_is_told_and_others_are_not(
    watch: Stack, settings: Settings
) -> None:
    cluster_id = start(settings)
    (told,) = call(watch, failure_of(cluster_id))
    assert told.startswith(f"Cluster {cluster_id} (orchard_features ")
    assert "ended with errors: " in told
    assert call(watch, failure_of(start(settings, Tags=[]))) == []
    assert messages() == [told]


def test_the_rule_is_of_the_clock_and_of_clusters_that_end_with_errors(watch: Stack) -> None:
    rule, event = watch.properties("Rule"), failure_of("j-1")
    assert rule["ScheduleExpression"] == "rate(1 hour)"
    assert rule["EventPattern"] == {
        "source": [event["source"]],
        "detail-type": [event["detail-type"]],
        "detail": {"state": [event["detail"]["state"]]},
    }
    permission = watch.properties("Permission")
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"].endswith(f":rule/{watch.names['Rule']}")


def test_nights_without_a_publication_are_told_once_a_day(watch: Stack) -> None:
    assert call(watch, HOURLY, hours_later=100) == []  # none has ever been published
    boto3.client("s3", REGION).put_object(Bucket=LAKE, Key="latest.json", Body=b"{}")
    told = {hour: call(watch, HOURLY, hours_later=hour + 0.5) for hour in range(100)}
    assert {hour: lines for hour, lines in told.items() if lines} == {
        50: ["No run has been published for 50 h"],
        74: ["No run has been published for 74 h"],
        98: ["No run has been published for 98 h"],
    }


def test_without_quiet_hours_nothing_is_told_of_quiet_nights(
    watch: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIET_HOURS", str(template(WATCH)["Parameters"]["QuietHours"]["Default"]))
    boto3.client("s3", REGION).put_object(Bucket=LAKE, Key="latest.json", Body=b"{}")
    assert [call(watch, HOURLY, hours_later=hour) for hour in (0, 24, 1000)] == [[], [], []]
    assert messages() == []


def test_airflow_ends_clusters_before_the_watch_does() -> None:
    assert template(WATCH)["Parameters"]["MaxClusterHours"]["Default"] > Limits().max_cluster_hours


def test_its_function_fits_into_the_template() -> None:
    """4,096 characters: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-lambda-function-code.html"""
    properties = template(WATCH)["Resources"]["Function"]["Properties"]
    assert len(properties["Code"]["ZipFile"]) <= 4096
    compile(properties["Code"]["ZipFile"], "index.py", "exec")


def statements(stack: Stack) -> list[Statement]:
    (policy,) = stack.properties("Role")["Policies"]
    found: list[Statement] = policy["PolicyDocument"]["Statement"]
    return found


def test_it_ends_clusters_of_the_lake_and_no_others(watch: Stack, settings: Settings) -> None:
    ours = resource_tags(tags_asked_for(settings))
    for action in ("DescribeCluster", "TerminateJobFlows"):
        name = f"elasticmapreduce:{action}"
        assert is_allowed(statements(watch), name, CLUSTER, ours)
        for tags in ({}, {"orchard:lake": f"s3---{LAKE}-2-0123abcd"}, {"orchard:dag": "orchard_features"}):
            assert not is_allowed(statements(watch), name, CLUSTER, resource_tags(tags))
        for elsewhere in (CLUSTER.replace(ACCOUNT, STRANGER), CLUSTER.replace(REGION, "us-east-1")):
            assert not is_allowed(statements(watch), name, elsewhere, ours)


def test_it_may_do_nothing_else(watch: Stack) -> None:
    assert allowed_actions(statements(watch)) == {
        "elasticmapreduce:DescribeCluster",
        "elasticmapreduce:ListClusters",
        "elasticmapreduce:TerminateJobFlows",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:ListBucket",
        "sns:Publish",
    }
    unlimited = [one for one in statements(watch) if one["Resource"] == "*"]
    assert [as_list(one["Action"]) for one in unlimited] == [["elasticmapreduce:ListClusters"]]
    assert resources_of("elasticmapreduce:ListClusters") == []
    assert is_allowed(statements(watch), "s3:ListBucket", BUCKET, {"s3:prefix": "latest.json"})
    assert not is_allowed(statements(watch), "s3:ListBucket", BUCKET, {"s3:prefix": "images/"})
    assert not is_allowed(statements(watch), "s3:ListBucket", BUCKET)
    for action in actions_of("s3"):
        assert not is_allowed(statements(watch), action, f"{BUCKET}/latest.json"), action
    assert is_allowed(statements(watch), "sns:Publish", watch.outputs["TopicArn"])
    assert not is_allowed(statements(watch), "sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:another")


def test_only_lambda_takes_its_role(watch: Stack) -> None:
    (one,) = watch.properties("Role")["AssumeRolePolicyDocument"]["Statement"]
    assert one["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_it_tells_whom_it_is_given(watch: Stack) -> None:
    assert watch.properties("Subscription")["Endpoint"] == "me@example.org"


def test_it_needs_nobody_to_tell() -> None:
    with account():
        assert "Subscription" not in deploy(WATCH, Lake=LAKE).resources
