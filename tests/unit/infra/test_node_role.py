"""What the jobs on the cluster may and may not do."""

import pytest

from tests.unit.infra.iam import is_allowed
from tests.unit.infra.policies import BUCKET, CLUSTER, actions_of, airflow, allowed_actions, node, trust
from tests.unit.infra.stack import GIVEN, Stack


def test_it_works_in_s3_and_nowhere_else(plain: Stack) -> None:
    assert allowed_actions(node(plain)) == {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    }


@pytest.mark.parametrize(
    "service_name", ["elasticmapreduce", "iam", "sts", "ec2", "ssm", "sns", "sqs", "glue", "lambda"]
)
def test_it_cannot_call(service_name: str, plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        for action in actions_of(service_name):
            assert not is_allowed(node(stack), action, CLUSTER)


@pytest.mark.parametrize(
    "key", ["code/run.py", "models/m/weights.npz", "images/apple/1.jpg", "runs/r/manifest.parquet"]
)
def test_it_reads_code_models_images_and_runs(key: str, plain: Stack) -> None:
    assert is_allowed(node(plain), "s3:GetObject", f"{BUCKET}/{key}")


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:DeleteObject"])
@pytest.mark.parametrize(
    "key",
    [
        "code/run.py",
        "models/m/card.json",
        "images/apple/1.jpg",
        "latest.json",
        "ledger/r.parquet",
        "basis/b/basis.npz",
        "runs/r/run.json",
        "runs/r/cost.json",
        "runs/r/report.html",
        "runs/r/earlier.parquet",
    ],
)
def test_it_changes_neither_what_it_runs_nor_what_is_published(action: str, key: str, plain: Stack) -> None:
    assert not is_allowed(node(plain), action, f"{BUCKET}/{key}")


def test_it_writes_runs_and_logs(plain: Stack) -> None:
    log = f"{BUCKET}/logs/j-1/steps/s-1/stdout.gz"
    assert is_allowed(node(plain), "s3:PutObject", f"{BUCKET}/runs/r/features/part-0.parquet")
    assert is_allowed(node(plain), "s3:PutObject", log)
    assert not is_allowed(node(plain), "s3:GetObject", log)


def test_it_writes_and_renames_event_logs(plain: Stack) -> None:
    """Spark's EventLogFileWriters.scala asks for the status of a file, and renames another."""
    events = f"{BUCKET}/logs/spark-events/eventlog_v2_a/appstatus_a.inprogress"
    for action in ("s3:PutObject", "s3:GetObject", "s3:DeleteObject"):
        assert is_allowed(node(plain), action, events)
    assert is_allowed(node(plain), "s3:GetObject", f"{BUCKET}/logs/spark-events")  # whether it is a folder


def test_it_knows_no_other_bucket(plain: Stack) -> None:
    for action in actions_of("s3"):
        for other in ("arn:aws:s3:::another", "arn:aws:s3:::another/runs/r/x", f"{BUCKET}-2/runs/r/x"):
            assert not is_allowed(node(plain), action, other)


def test_images_of_another_bucket_are_read_below_their_folder_only_and_listed_by_airflow_alone(
    given: Stack,
) -> None:
    """Jobs get a manifest. To list below a prefix would not tell them what is missing, either: GetObject
    names no prefix, so that S3 says of what is missing that it is denied.
    """
    bucket, below = f"arn:aws:s3:::{GIVEN['ImagesBucket']}", GIVEN["ImagesPrefix"]
    assert is_allowed(node(given), "s3:GetObject", f"{bucket}/{below}/apple/1.jpg")
    assert not is_allowed(node(given), "s3:GetObject", f"{bucket}/private/1.jpg")
    assert is_allowed(airflow(given), "s3:ListBucket", bucket, {"s3:prefix": f"{below}/"})
    assert not is_allowed(airflow(given), "s3:ListBucket", bucket, {"s3:prefix": ""})
    assert not is_allowed(airflow(given), "s3:ListBucket", bucket)
    assert not is_allowed(node(given), "s3:ListBucket", bucket, {"s3:prefix": f"{below}/"})
    for role in (node(given), airflow(given)):
        assert not is_allowed(role, "s3:PutObject", f"{bucket}/{below}/apple/1.jpg")


def test_it_reads_the_certificates_where_there_are_some(plain: Stack, given: Stack) -> None:
    certificates = "arn:aws:s3:::secrets/emr/certificates.zip"
    assert is_allowed(node(given), "s3:GetObject", certificates)
    assert not is_allowed(node(given), "s3:GetObject", "arn:aws:s3:::secrets/emr/other.zip")
    assert not is_allowed(node(plain), "s3:GetObject", certificates)


def test_only_instances_of_ec2_take_it(plain: Stack) -> None:
    (statement,) = trust(plain, "NodeRole")
    assert statement["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
