"""What the lake, the queue and the network's way to S3 take, from whomever it comes."""

import pytest

from tests.unit.infra.iam import Statement, as_list, is_allowed, is_denied
from tests.unit.infra.policies import BUCKET, STRANGER, actions_of, airflow, node, service
from tests.unit.infra.stack import ACCOUNT, LAKE, REGION, Stack


def test_no_role_forgets_an_old_version_or_reconfigures_the_lake(plain: Stack, given: Stack) -> None:
    """So what was overwritten or deleted can be brought back."""
    used = {"getobject", "putobject", "deleteobject", "listbucket", "abortmultipartupload"}
    used |= {"listbucketmultipartuploads", "listmultipartuploadparts"}
    others = [name for name in actions_of("s3") if name.partition(":")[2] not in used]
    assert {"s3:deleteobjectversion", "s3:putlifecycleconfiguration"} <= set(others)
    for stack in (plain, given):
        for role in (node(stack), airflow(stack), service(stack)):
            for action in others:
                for resource in (BUCKET, f"{BUCKET}/runs/r/x", f"{BUCKET}/latest.json"):
                    assert not is_allowed(role, action, resource), action


def test_the_lake_takes_tls_only_and_no_old_one(plain: Stack) -> None:
    statements = plain.properties("LakePolicy")["PolicyDocument"]["Statement"]
    assert {(one["Effect"], one["Principal"]) for one in statements} == {("Deny", "*")}
    modern = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
    for resource in (BUCKET, f"{BUCKET}/latest.json"):
        assert is_denied(statements, "s3:GetObject", resource, {**modern, "aws:SecureTransport": "false"})
        assert is_denied(statements, "s3:PutObject", resource, {**modern, "s3:TlsVersion": "1.1"})
        assert not is_denied(statements, "s3:GetObject", resource, modern)


def test_the_queue_takes_events_of_the_images_bucket_of_this_account_only(given: Stack) -> None:
    statements = given.properties("ImagesQueuePolicy")["PolicyDocument"]["Statement"]
    allowed = [one for one in statements if one["Effect"] == "Allow"]
    assert [one["Principal"] for one in allowed] == [{"Service": "s3.amazonaws.com"}]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orchard-images"
    source = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": "arn:aws:s3:::photographs"}
    event = {**source, "aws:SecureTransport": "true"}
    assert is_allowed(statements, "sqs:SendMessage", queue, event)
    for wrong in (
        {"aws:SourceArn": "arn:aws:s3:::other"},
        {"aws:SourceAccount": STRANGER},
        {"aws:SecureTransport": "false"},
    ):
        assert not is_allowed(statements, "sqs:SendMessage", queue, {**event, **wrong})


def way_out(stack: Stack) -> list[Statement]:
    """What the endpoint lets through."""
    found: list[Statement] = stack.properties("S3Endpoint")["PolicyDocument"]["Statement"]
    return found


def test_what_the_nodes_may_do_in_s3_passes_the_endpoint(plain: Stack) -> None:
    for statement in node(plain):
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                one = resource.replace("*", "x")
                assert is_allowed(way_out(plain), action, one), (action, one)


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:GetObject", "s3:CreateBucket"])
def test_nothing_leaves_the_network_for_a_foreign_bucket(action: str, plain: Stack) -> None:
    """Whoever's credentials are used."""
    for name in ("theirs", f"{LAKE}-2", f"aws157-logs-prod-{REGION}-2", "prod.us-east-1.appinfo.src"):
        assert not is_allowed(way_out(plain), action, f"arn:aws:s3:::{name}/x")


@pytest.mark.parametrize(
    ("action", "bucket"),
    [
        ("s3:GetObject", f"al2023-repos-{REGION}-de612dc2"),
        ("s3:GetObject", f"repo.{REGION}.emr.amazonaws.com"),
        ("s3:GetObject", f"aws157-instance-data-0-prod-{REGION}"),
        ("s3:GetObject", f"aws157-instance-data-1-prod-{REGION}"),
        ("s3:PutObject", f"aws157-logs-prod-{REGION}"),
        ("s3:PutObject", f"prod.{REGION}.appinfo.src"),
    ],
)
def test_emr_reaches_the_buckets_that_its_manual_names(action: str, bucket: str, plain: Stack) -> None:
    """https://docs.aws.amazon.com/emr/latest/ManagementGuide/private-subnet-iampolicy.html"""
    assert is_allowed(way_out(plain), action, f"arn:aws:s3:::{bucket}/x")
