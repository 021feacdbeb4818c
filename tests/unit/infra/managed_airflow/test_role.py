"""What managed Airflow itself may do, and nothing more; what Orchard's DAGs may is attached beside it."""

import boto3
import pytest

from tests.unit.infra.iam import as_list, is_allowed
from tests.unit.infra.managed_airflow.conftest import Stacks, deploy_both
from tests.unit.infra.policies import (
    BUCKET,
    STRANGER,
    actions_of,
    airflow,
    allowed_actions,
    resources_of,
    trust,
)
from tests.unit.infra.stack import ACCOUNT, GIVEN, INSTEAD, LAKE, REGION, account, deploy

ENVIRONMENT = f"arn:aws:airflow:{REGION}:{ACCOUNT}:environment/my-airflow"
LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:airflow-my-airflow-Task"
QUEUE = f"arn:aws:sqs:{REGION}:{STRANGER}:airflow-celery-0a1b"
"""In an account of AWS's own."""
KEY = f"arn:aws:kms:{REGION}:{STRANGER}:key/0f1e2d3c"
THROUGH_SQS = {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}

DEPLOYED = (
    "dags/orchard_features.py",
    "dags/orchard/deployed.json",
    "plugins.zip",
    "requirements.txt",
    "startup.sh",
)
OTHERS = (
    "images/apple/1.jpg",
    "runs/r/run.json",
    "models/m/card.json",
    "latest.json",
    "plugins.zip.old",
    "code/1/run.py",
)

WITHOUT_RESOURCE = {
    "s3:GetAccountPublicAccessBlock": "AWS knows no resource for it; it tells whether buckets may be public",
    "cloudwatch:PutMetricData": "as AWS documents it; it writes numbers",
}
"""All that it may do with Resource "*", and why."""


def test_it_reads_what_is_deployed_in_any_version_and_no_other_object(stacks: Stacks) -> None:
    for action in ("s3:GetObject", "s3:GetObjectVersion"):
        for key in DEPLOYED:
            assert is_allowed(stacks.own_statements, action, f"{BUCKET}/{key}"), (action, key)
        for key in OTHERS:
            assert not is_allowed(stacks.own_statements, action, f"{BUCKET}/{key}"), (action, key)
        for bucket in (f"{BUCKET}-2", "arn:aws:s3:::another"):
            assert not is_allowed(stacks.own_statements, action, f"{bucket}/plugins.zip")


def test_of_the_bucket_it_only_reads(stacks: Stacks) -> None:
    reading = ("s3:get", "s3:list", "s3:head")
    for action in actions_of("s3"):
        if not action.startswith(reading):
            for resource in (BUCKET, *(f"{BUCKET}/{key}" for key in (*DEPLOYED, *OTHERS))):
                assert not is_allowed(stacks.own_statements, action, resource), (action, resource)
    assert is_allowed(stacks.own_statements, "s3:GetBucketPublicAccessBlock", BUCKET)
    assert not is_allowed(stacks.own_statements, "s3:ListBucket", f"{BUCKET}-2")


def test_it_writes_its_own_logs_and_no_others(stacks: Stacks) -> None:
    for action in ("logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents"):
        assert is_allowed(stacks.own_statements, action, f"{LOG}:log-stream:a")
        for other in (LOG.replace("my-airflow", "another"), LOG.replace(ACCOUNT, STRANGER)):
            assert not is_allowed(stacks.own_statements, action, f"{other}:log-stream:a")
    for action in ("logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy"):
        assert not is_allowed(stacks.own_statements, action, LOG)


def test_it_uses_celerys_queue_and_no_other(stacks: Stacks) -> None:
    for action in (
        "sqs:SendMessage",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
    ):
        assert is_allowed(stacks.own_statements, action, QUEUE)
        assert not is_allowed(stacks.own_statements, action, f"arn:aws:sqs:{REGION}:{ACCOUNT}:orchard-images")
    for action in ("sqs:DeleteQueue", "sqs:PurgeQueue", "sqs:AddPermission", "sqs:SetQueueAttributes"):
        assert not is_allowed(stacks.own_statements, action, QUEUE)


def test_it_uses_aws_key_of_the_queue_and_no_key_of_the_account(stacks: Stacks) -> None:
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert is_allowed(stacks.own_statements, action, KEY, THROUGH_SQS)
        assert not is_allowed(stacks.own_statements, action, KEY)
        assert not is_allowed(
            stacks.own_statements, action, KEY, {"kms:ViaService": "s3.eu-west-3.amazonaws.com"}
        )
        assert not is_allowed(stacks.own_statements, action, KEY.replace(STRANGER, ACCOUNT), THROUGH_SQS)


def test_it_may_do_nothing_else(stacks: Stacks) -> None:
    services = {action.partition(":")[0] for action in allowed_actions(stacks.own_statements)}
    assert services == {"airflow", "cloudwatch", "kms", "logs", "s3", "sqs"}
    assert not [action for action in allowed_actions(stacks.own_statements) if "*" in action]
    of_airflow = [one for one in allowed_actions(stacks.own_statements) if one.startswith("airflow:")]
    assert of_airflow == ["airflow:PublishMetrics"]
    assert is_allowed(stacks.own_statements, "airflow:PublishMetrics", ENVIRONMENT)
    assert not is_allowed(stacks.own_statements, "airflow:PublishMetrics", f"{ENVIRONMENT}-2")


def test_every_resource_is_named_but_for_a_closed_list(stacks: Stacks) -> None:
    unlimited = {
        action
        for one in stacks.own_statements
        if "*" in as_list(one.get("Resource", ()))
        for action in as_list(one["Action"])
    }
    assert unlimited == set(WITHOUT_RESOURCE)
    assert resources_of("s3:GetAccountPublicAccessBlock") == []
    (negated,) = [one for one in stacks.own_statements if "NotResource" in one]
    assert negated["Condition"] == {"StringEquals": THROUGH_SQS}


def test_only_mwaa_takes_its_role_and_for_this_environment_only(stacks: Stacks) -> None:
    (statement,) = stacks.lake.properties("ManagedRole")["AssumeRolePolicyDocument"]["Statement"]
    assert set(statement["Principal"]["Service"]) == {"airflow.amazonaws.com", "airflow-env.amazonaws.com"}
    asked = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": ENVIRONMENT}
    for context, expected in (
        (asked, True),
        ({**asked, "aws:SourceArn": f"{ENVIRONMENT}-2"}, False),
        ({**asked, "aws:SourceAccount": STRANGER}, False),
        ({}, False),
    ):
        assert is_allowed(trust(stacks.lake, "ManagedRole"), "sts:AssumeRole", "*", context) is expected


@pytest.mark.parametrize(
    "options", [{}, {k: v for k, v in GIVEN.items() if k != "AirflowRole"}], ids=["plain", "all"]
)
def test_orchards_policies_are_attached_to_it(options: dict[str, str]) -> None:
    """Whatever the options, and with no third deployment."""
    with account():
        stack = deploy(**options, **INSTEAD)
        attached = boto3.client("iam").list_attached_role_policies(RoleName=stack.names["ManagedRole"])
    arns = {arn for name, arn in stack.outputs.items() if name.startswith("Airflow")}
    assert {one["PolicyArn"] for one in attached["AttachedPolicies"]} == arns
    assert len(arns) == len(stack.of_type("AWS::IAM::ManagedPolicy"))


def test_what_its_own_permissions_lack_orchards_policies_give(stacks: Stacks) -> None:
    """The ledger and the runs are not MWAA's business."""
    for key in ("latest.json", "ledger/a.parquet", "runs/r/run.json"):
        assert not is_allowed(stacks.own_statements, "s3:GetObject", f"{BUCKET}/{key}")
        assert is_allowed(airflow(stacks.lake), "s3:GetObject", f"{BUCKET}/{key}")
    for key in DEPLOYED:
        assert not is_allowed(airflow(stacks.lake), "s3:PutObject", f"arn:aws:s3:::{LAKE}/{key}")


def test_a_deployment_of_both_gives_the_environment_the_role_of_the_lake() -> None:
    with account():
        stacks = deploy_both()
    assert stacks.airflow.properties("EnvironmentPolicy")["RoleName"] == stacks.lake.names["ManagedRole"]
