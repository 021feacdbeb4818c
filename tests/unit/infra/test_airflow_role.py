"""What Airflow may and may not do."""

import pytest

from orchard.lake.event_logs import event_log_folder
from orchard.lake.layout import Lake
from orchard.settings.settings import Settings
from tests.unit.infra.iam import as_list, is_allowed
from tests.unit.infra.policies import (
    BUCKET,
    CLUSTER,
    STRANGER,
    actions_of,
    airflow,
    arn_of,
    request_tags,
    resource_tags,
    role_arn,
    tags_asked_for,
)
from tests.unit.infra.stack import ACCOUNT, LAKE, REGION, Stack, settings_of

ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
LIKE_OURS = [f"s3://{LAKE}/below", f"s3://{LAKE}2", f"s3://{LAKE}-2", f"s3://a-{LAKE}", "s3://another"]


def test_it_creates_the_cluster_that_orchard_asks_for(plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        request = request_tags(tags_asked_for(settings_of(stack)))
        assert is_allowed(airflow(stack), "elasticmapreduce:RunJobFlow", "*", request)
        assert is_allowed(airflow(stack), "elasticmapreduce:AddTags", CLUSTER, request)


def test_it_gives_a_cluster_its_idle_time_while_it_is_created_and_has_no_tags_yet(
    plain: Stack, settings: Settings
) -> None:
    """RunJobFlow with an AutoTerminationPolicy asks for it on cluster/*: the tags are in the request."""
    action, of_all = "elasticmapreduce:PutAutoTerminationPolicy", CLUSTER.replace("j-1", "*")
    tags = tags_asked_for(settings)
    assert is_allowed(airflow(plain), action, of_all, request_tags(tags))
    assert is_allowed(airflow(plain), action, CLUSTER, resource_tags(tags))  # if it is asked for afterwards
    for others in ({}, {"orchard:lake": "s3---another-0123abcd"}):
        assert not is_allowed(airflow(plain), action, of_all, request_tags(others))
        assert not is_allowed(airflow(plain), action, CLUSTER, resource_tags(others))


def test_whatever_creating_a_cluster_asks_for_is_told_by_the_tags_of_the_request(plain: Stack) -> None:
    """A cluster that does not exist has no tags: a condition on them would refuse it."""
    by_request = {
        action
        for one in airflow(plain)
        if "aws:RequestTag/orchard:lake" in str(one.get("Condition"))
        for action in as_list(one["Action"])
    }
    assert by_request == {
        "elasticmapreduce:AddTags",
        "elasticmapreduce:PutAutoTerminationPolicy",
        "elasticmapreduce:RunJobFlow",
    }


@pytest.mark.parametrize("missing", ["orchard:lake", "for-use-with-amazon-emr-managed-policies"])
def test_it_creates_no_cluster_without_our_tags(missing: str, plain: Stack, settings: Settings) -> None:
    tags = {key: value for key, value in tags_asked_for(settings).items() if key != missing}
    assert not is_allowed(airflow(plain), "elasticmapreduce:RunJobFlow", "*", request_tags(tags))


@pytest.mark.parametrize("lake", LIKE_OURS)
def test_it_creates_and_ends_no_cluster_of_another_lake(lake: str, plain: Stack) -> None:
    environ = {**plain.environ, "ORCHARD_LAKE": lake, "ORCHARD_MODEL": f"{lake}/models/m"}
    tags = tags_asked_for(Settings.from_env(environ))
    assert not is_allowed(airflow(plain), "elasticmapreduce:RunJobFlow", "*", request_tags(tags))
    assert not is_allowed(airflow(plain), "elasticmapreduce:TerminateJobFlows", CLUSTER, resource_tags(tags))


@pytest.mark.parametrize(
    "action",
    [
        *("TerminateJobFlows", "AddJobFlowSteps", "CancelSteps"),
        *("DescribeCluster", "DescribeStep", "ListInstances", "ListSteps"),
    ],
)
def test_it_uses_clusters_with_our_tag_and_no_other(action: str, plain: Stack, settings: Settings) -> None:
    ours, name = resource_tags(tags_asked_for(settings)), f"elasticmapreduce:{action}"
    assert is_allowed(airflow(plain), name, CLUSTER, ours)
    for tags in ({}, {"orchard:lake": "s3---another-0123abcd"}, {"orchard:dag": "orchard_features"}):
        assert not is_allowed(airflow(plain), name, CLUSTER, resource_tags(tags))
    for elsewhere in (CLUSTER.replace(ACCOUNT, STRANGER), CLUSTER.replace(REGION, "us-east-1")):
        assert not is_allowed(airflow(plain), name, elsewhere, ours)


def test_it_changes_nothing_else_of_a_cluster_even_if_it_is_ours(plain: Stack, settings: Settings) -> None:
    ours = resource_tags(tags_asked_for(settings))
    used = {"addjobflowsteps", "addtags", "cancelsteps", "describecluster", "describestep", "liststeps"}
    used |= {"listclusters", "listinstances", "putautoterminationpolicy", "runjobflow", "terminatejobflows"}
    others = {name for name in actions_of("elasticmapreduce") if name.partition(":")[2] not in used}
    assert "elasticmapreduce:setterminationprotection" in others
    for action in others:
        assert not is_allowed(airflow(plain), action, CLUSTER, ours)


def test_it_adds_no_step_that_runs_as_another_role(plain: Stack, settings: Settings) -> None:
    as_other = {**resource_tags(tags_asked_for(settings)), "elasticmapreduce:ExecutionRoleArn": ADMIN}
    assert not is_allowed(airflow(plain), "elasticmapreduce:AddJobFlowSteps", CLUSTER, as_other)


def test_it_gives_each_role_to_its_own_service_and_no_other_role_at_all(plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        owners = {
            role_arn(stack, "NodeRole"): "ec2.amazonaws.com",
            role_arn(stack, "ServiceRole"): "elasticmapreduce.amazonaws.com",
        }
        for role in (*owners, ADMIN, f"arn:aws:iam::{ACCOUNT}:role/airflow"):
            for target in (*owners.values(), "lambda.amazonaws.com", "glue.amazonaws.com"):
                passed = {"iam:PassedToService": target}
                is_owner = owners.get(role) == target
                assert is_allowed(airflow(stack), "iam:PassRole", role, passed) is is_owner
            assert not is_allowed(airflow(stack), "iam:PassRole", role)


def test_it_creates_no_role_but_the_one_that_aws_itself_fills(plain: Stack) -> None:
    name = "aws-service-role/elasticmapreduce.amazonaws.com/AWSServiceRoleForEMRCleanup"
    cleanup, for_emr = f"arn:aws:iam::{ACCOUNT}:role/{name}", "elasticmapreduce.amazonaws.com"
    keys = {"iam:AWSServiceName": for_emr}
    assert is_allowed(airflow(plain), "iam:CreateServiceLinkedRole", cleanup, keys)
    assert not is_allowed(airflow(plain), "iam:CreateServiceLinkedRole", cleanup)
    for action in set(actions_of("iam")) - {"iam:createservicelinkedrole", "iam:passrole"}:
        assert not is_allowed(airflow(plain), action, cleanup, keys)


def test_it_gives_clusters_no_other_tags_than_orchards(plain: Stack, settings: Settings) -> None:
    request = request_tags({**tags_asked_for(settings), "cost-centre": "42"})
    assert not is_allowed(airflow(plain), "elasticmapreduce:AddTags", CLUSTER, request)
    assert not is_allowed(airflow(plain), "elasticmapreduce:RemoveTags", CLUSTER, request)


def test_the_gap_it_can_tag_somebody_elses_cluster_as_ours(plain: Stack, settings: Settings) -> None:
    """EMR asks for AddTags when a cluster is created with tags, and IAM cannot tell that from tagging one
    that exists. The README says so; an account of its own closes it.
    """
    theirs = resource_tags({"orchard:lake": "s3---another-0123abcd"})
    request = {**theirs, **request_tags(tags_asked_for(settings))}
    assert is_allowed(airflow(plain), "elasticmapreduce:AddTags", CLUSTER, request)


def test_it_reads_and_writes_what_publishing_needs(plain: Stack) -> None:
    lake = Lake(f"s3://{LAKE}")
    run, basis = lake.run("r"), f"{lake.basis('b')}/basis.npz"
    for uri in (lake.latest, lake.ledger_entry("r"), basis, run.run_json, run.manifest, run.earlier):
        assert is_allowed(airflow(plain), "s3:PutObject", arn_of(uri)), uri
    assert is_allowed(airflow(plain), "s3:PutObject", arn_of(run.page))
    for uri in (f"{run.features}/part-0.parquet", f"{run.components}/part-0.parquet"):
        assert is_allowed(airflow(plain), "s3:GetObject", arn_of(uri)), uri
    log = f"{lake.uri}/logs/j-1/steps/s-1/stdout.gz"
    for uri in (lake.latest, lake.ledger_entry("r"), run.outcomes, run.metrics("reduce"), run.basis, log):
        assert is_allowed(airflow(plain), "s3:GetObject", arn_of(uri)), uri


def test_it_lists_images_but_reads_none(plain: Stack) -> None:
    assert is_allowed(airflow(plain), "s3:ListBucket", BUCKET, {"s3:prefix": "images/"})
    assert not is_allowed(airflow(plain), "s3:GetObject", f"{BUCKET}/images/apple/1.jpg")


@pytest.mark.parametrize(
    "key",
    [
        "latest.json",
        "basis/b/basis.npz",
        "runs/r/run.json",
        "runs/r/csv/features.csv",
        "runs/r/features/part-0.parquet",
        "runs/r/components/part-0.parquet",
        "models/m/card.json",
        "images/apple/1.jpg",
        "code/run.py",
    ],
)
def test_it_deletes_no_result_and_nothing_that_results_are_made_from(key: str, plain: Stack) -> None:
    assert not is_allowed(airflow(plain), "s3:DeleteObject", f"{BUCKET}/{key}")


def test_with_retention_it_deletes_runs_but_neither_what_is_published_nor_an_old_version(
    plain: Stack, given: Stack
) -> None:
    """What retention calls for a run; of which run it is, IAM cannot tell."""
    lake = Lake(f"s3://{LAKE}")
    run, basis = lake.run("r"), f"{lake.basis('b')}/basis.npz"
    events = f"{event_log_folder(f'{lake.uri}/logs')}/eventlog_v2_a/events_1_a.zstd"
    for uri in (f"{run.csv}/features.csv", f"{run.features}/part-0.parquet", run.run_json, basis, events):
        assert is_allowed(airflow(given), "s3:DeleteObject", arn_of(uri)), uri
        assert not is_allowed(airflow(plain), "s3:DeleteObject", arn_of(uri)), uri
        assert not is_allowed(airflow(given), "s3:DeleteObjectVersion", arn_of(uri)), uri
    for key in ("latest.json", "models/m/card.json", "images/apple/1.jpg", "code/run.py", "logs/j-1/x"):
        assert not is_allowed(airflow(given), "s3:DeleteObject", f"{BUCKET}/{key}"), key


@pytest.mark.parametrize("key", ["code/run.py", "models/m/card.json", "images/apple/1.jpg", "logs/j-1/x"])
def test_it_changes_neither_code_nor_model_nor_images(key: str, plain: Stack) -> None:
    assert not is_allowed(airflow(plain), "s3:PutObject", f"{BUCKET}/{key}")


def test_it_uses_the_topic_and_the_queue_where_they_are_made_only(plain: Stack, given: Stack) -> None:
    topic, queue = f"arn:aws:sns:{REGION}:{ACCOUNT}:orchard", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orchard-images"
    for stack, is_made in ((plain, False), (given, True)):
        assert is_allowed(airflow(stack), "sns:Publish", topic) is is_made
        assert is_allowed(airflow(stack), "sqs:ReceiveMessage", queue) is is_made
        assert is_allowed(airflow(stack), "sqs:DeleteMessage", queue) is is_made
        assert not is_allowed(airflow(stack), "sns:Publish", f"{topic}-2")
        assert not is_allowed(airflow(stack), "sqs:SendMessage", queue)


def test_it_uses_tables_of_its_own_glue_database_only_and_drops_none(plain: Stack, given: Stack) -> None:
    glue, actions = f"arn:aws:glue:{REGION}:{ACCOUNT}", ("GetTable", "CreateTable", "BatchCreatePartition")
    for stack, is_made in ((plain, False), (given, True)):
        for resource in ("catalog", "database/orchard", "table/orchard/components_latest"):
            for action in actions:
                assert is_allowed(airflow(stack), f"glue:{action}", f"{glue}:{resource}") is is_made
    for action in actions_of("glue"):
        assert not is_allowed(airflow(given), action, f"{glue}:table/orchard2/features"), action
        assert not is_allowed(airflow(given), action, f"{glue}:database/default"), action
    for action in ("DeleteTable", "BatchDeleteTable", "DeleteDatabase", "CreateDatabase", "GetTables"):
        assert not is_allowed(airflow(given), f"glue:{action}", f"{glue}:table/orchard/features"), action
