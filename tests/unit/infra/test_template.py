"""The template as a whole: what it makes, with which of its options."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.api import ManualArgs, lint

from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.lake.layout import Lake
from orchard.settings.settings import Settings, table
from tests.unit.infra.stack import (
    ACCOUNT,
    GIVEN,
    INSTEAD,
    LAKE,
    MANAGED_AIRFLOW,
    REGION,
    TEMPLATE,
    WATCH,
    Stack,
    account,
    deploy,
    settings_of,
    template,
)

REGIONS = ["eu-west-3", "eu-central-1", "us-east-1", "ap-southeast-2"]
EMR_TAG = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}

SWITCHES = {
    "network": ("VpcId", "SubnetIds"),
    "images": ("ImagesBucket", "ImagesPrefix"),
    "role": ("AirflowRole",),
    "managed": ("ManagedAirflow",),
    "key": ("KmsKeyArn",),
    "certificates": ("TlsCertificates",),
    "queue": ("ImagesQueue",),
    "retention": ("Retention",),
    "alarm": ("AlarmEmail",),
    "topic": ("NotificationTopic",),
    "database": ("GlueDatabase",),
    "trail": ("DataEvents",),
}
"""What can be given, and the parameters that give it."""

MADE_WITH = {
    "images": {"AirflowImagesPolicy"},
    "managed": {"ManagedRole"},
    "key": {"NodeKeyPolicy", "ServiceKeyPolicy", "AirflowKeyPolicy"},
    "certificates": {"NodeCertificatesPolicy"},
    "queue": {"ImagesEvents", "ImagesQueuePolicy", "AirflowQueuePolicy"},
    "retention": {"AirflowRetentionPolicy"},
    "alarm": {"Budget"},
    "topic": {"Topic", "AirflowTopicPolicy"},
    "database": {"Database", "AirflowGluePolicy"},
    "trail": {"Records", "RecordsPolicy", "Trail"},
}
NETWORK = {"Vpc", "Subnet", "RouteTable", "SubnetRoutes", "S3Endpoint", "EmrEndpoint", "EmrEndpointGroup"}
NETWORK |= {"NodeGroup", "NodeTcp", "NodeUdp", "NodeIcmp"}
NETWORK |= {"NamesOfAws", "AllNames", "NameRules", "NameRulesOfVpc"}
SECOND_ZONE = {"SecondSubnet", "SecondSubnetRoutes"}
KEY_IN_OWN_NETWORK = {"KmsEndpoint"}
ALWAYS = {"Lake", "LakePolicy", "NodeRole", "NodeProfile", "ServiceRole", "Security", "AirflowPolicy"}

INTERPLAY = ("network", "images", "role", "key", "certificates", "queue")
"""Switches that some resource has in common; what each of the others makes nothing else refers to."""


def combinations() -> list[frozenset[str]]:
    """Return every combination of INTERPLAY, every other one with the rest. A role is named, or made."""
    alone = [name for name in SWITCHES if name not in (*INTERPLAY, "managed")]
    found = [
        frozenset([name for name, is_on in zip(INTERPLAY, on, strict=True) if is_on] + alone * (sum(on) % 2))
        for on in product((False, True), repeat=len(INTERPLAY))
    ]
    return [*found, *(on - {"role"} | {"managed"} for on in found if "role" in on)]


@pytest.mark.parametrize("path", [TEMPLATE, WATCH, MANAGED_AIRFLOW], ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(path: Path) -> None:
    found = lint(path.read_text(), config=ManualArgs(regions=REGIONS))
    assert [f"{match.rule.id} line {match.linenumber}: {match.message}" for match in found] == []


def test_it_is_small_enough_to_be_sent_as_it_is() -> None:
    """Above that, `aws cloudformation deploy` wants a bucket, and there is none yet."""
    assert TEMPLATE.stat().st_size <= 51_200


@pytest.mark.parametrize("on", combinations(), ids=lambda on: "+".join(sorted(on)) or "nothing")
def test_every_combination_deploys_and_makes_just_what_was_asked_for(on: frozenset[str]) -> None:
    parameters = {name: {**GIVEN, **INSTEAD}[name] for switch in on for name in SWITCHES[switch]}
    with account():
        stack = deploy(**parameters)
    asked = [names for switch, names in MADE_WITH.items() if switch in on]
    network = set() if "network" in on else NETWORK | (KEY_IN_OWN_NETWORK if "key" in on else set())
    assert set(stack.resources) == ALWAYS.union(*asked, network)
    assert "${" not in str(stack), "something is left unresolved"
    assert ("NotificationConfiguration" in stack.properties("Lake")) is ("queue" in on and "images" not in on)
    assert settings_of(stack)


def test_all_resources_are_in_these_tables() -> None:
    of_network = NETWORK | SECOND_ZONE | KEY_IN_OWN_NETWORK
    assert set(template()["Resources"]) == ALWAYS.union(of_network, *MADE_WITH.values())
    assert {name for names in SWITCHES.values() for name in names} == {*GIVEN, *INSTEAD}


def test_what_is_made_exists() -> None:
    with account():
        stack = deploy(AirflowRole="airflow", NotificationTopic="yes", ImagesQueue="yes")
        buckets = [bucket["Name"] for bucket in boto3.client("s3", REGION).list_buckets()["Buckets"]]
        attached = boto3.client("iam").list_attached_role_policies(RoleName="airflow")["AttachedPolicies"]
        profile = boto3.client("iam").get_instance_profile(InstanceProfileName=stack.names["NodeProfile"])
        endpoints = boto3.client("ec2", REGION).describe_vpc_endpoints()["VpcEndpoints"]
        topics = boto3.client("sns", REGION).list_topics()["Topics"]
        queues = boto3.client("sqs", REGION).list_queues()["QueueUrls"]
        configured = boto3.client("emr", REGION).describe_security_configuration(
            Name=stack.environ["ORCHARD_SECURITY_CONFIGURATION"]
        )
    assert buckets == [LAKE]
    assert {one["PolicyArn"] for one in attached} == {
        arn for name, arn in stack.outputs.items() if name.startswith("Airflow")
    }
    assert [role["RoleName"] for role in profile["InstanceProfile"]["Roles"]] == [stack.names["NodeRole"]]
    assert {one["ServiceName"]: one["VpcEndpointType"] for one in endpoints} == {
        f"com.amazonaws.{REGION}.s3": "Gateway",
        f"aws.api.{REGION}.emr-service-cell01": "Interface",
    }
    assert [topic["TopicArn"] for topic in topics] == [stack.outputs["TopicArn"]]
    assert queues == [stack.outputs["QueueUrl"]]
    assert "MinimumInstanceMetadataServiceVersion" in configured["SecurityConfiguration"]


def test_the_lake_is_private_versioned_encrypted_and_stays() -> None:
    resources = template()["Resources"]
    lake: dict[str, Any] = resources["Lake"]["Properties"]
    assert set(lake["PublicAccessBlockConfiguration"].values()) == {True}
    assert lake["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert lake["VersioningConfiguration"] == {"Status": "Enabled"}
    # Its policy stays too, or what is left would take plain HTTP.
    for name in ("Lake", "LakePolicy"):
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize(("key", "algorithm"), [("", "AES256"), (GIVEN["KmsKeyArn"], "aws:kms")])
def test_the_lake_is_encrypted_with_the_key_or_with_s3s(key: str, algorithm: str) -> None:
    with account():
        deploy(KmsKeyArn=key)
        found = boto3.client("s3", REGION).get_bucket_encryption(Bucket=LAKE)
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    default = rule["ApplyServerSideEncryptionByDefault"]
    assert (default["SSEAlgorithm"], default.get("KMSMasterKeyID", "")) == (algorithm, key)


def test_only_logs_expire_by_age(plain: Stack) -> None:
    rules = plain.properties("Lake")["LifecycleConfiguration"]["Rules"]
    expiring = [rule for rule in rules if "ExpirationInDays" in rule]
    assert [(rule["Prefix"], rule["ExpirationInDays"]) for rule in expiring] == [("logs/", 90)]


def prefixes_whose_old_versions_expire(stack: Stack) -> tuple[str, ...]:
    rules = stack.properties("Lake")["LifecycleConfiguration"]["Rules"]
    of_old_versions = [rule for rule in rules if "NoncurrentVersionExpiration" in rule]
    assert {str(rule["NoncurrentVersionExpiration"]["NoncurrentDays"]) for rule in of_old_versions} == {"30"}
    return tuple(rule.get("Prefix", "") for rule in of_old_versions)


def test_no_version_expires_that_managed_airflow_may_be_told_to_take(plain: Stack, given: Stack) -> None:
    """It keeps the versions of these three that it was given, until it is given others."""
    for stack in (plain, given):
        pinned = ("plugins.zip", "requirements.txt", "startup.sh")
        assert not [key for key in pinned if key.startswith(prefixes_whose_old_versions_expire(stack))]


def test_old_versions_of_all_that_orchard_writes_expire(plain: Stack, settings: Settings) -> None:
    lake, places = Lake(f"s3://{LAKE}"), settings.places
    run = lake.run("r")
    for uri in (
        *(lake.latest, lake.ledger_entry("r"), lake.report_digest("r"), f"{lake.basis('b')}/basis.npz"),
        *(run.run_json, run.page, f"{run.features}/part-0.parquet", f"{places.logs}/j-1/steps/s-1/stdout.gz"),
        *(f"{places.images}/apple/1.jpg", f"{places.code}/0123/run.py", f"{places.model}/card.json"),
        f"{lake.uri}/dags/orchard_features.py",
    ):
        key = uri.removeprefix(f"{lake.uri}/")
        assert key.startswith(prefixes_whose_old_versions_expire(plain)), key


def test_no_upload_of_a_step_is_aborted_while_it_runs(plain: Stack, settings: Settings) -> None:
    rules = plain.properties("Lake")["LifecycleConfiguration"]["Rules"]
    (rule,) = (rule for rule in rules if "AbortIncompleteMultipartUpload" in rule)
    days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
    assert settings.waits.step_timeout < days * 24 * 3600


def test_the_network_has_no_way_to_the_internet_and_none_from_it(plain: Stack) -> None:
    kinds = {resource["Type"] for resource in template()["Resources"].values()}
    assert not kinds & {f"AWS::EC2::{kind}" for kind in ("InternetGateway", "NatGateway", "Route", "EIP")}
    assert plain.properties("Subnet")["MapPublicIpOnLaunch"] is False
    inside = plain.properties("Vpc")["CidrBlock"]
    for group in plain.of_type("AWS::EC2::SecurityGroup").values():
        assert {rule["CidrIp"] for rule in group.get("SecurityGroupIngress", ())} <= {inside}
    rules = plain.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert {rule["IpProtocol"] for rule in rules} == {"tcp", "udp", "icmp"}
    assert {(rule["GroupId"], rule["SourceSecurityGroupId"]) for rule in rules} == {
        (plain.names["NodeGroup"], plain.names["NodeGroup"])
    }


def test_the_subnet_is_in_the_zone_that_is_asked_for() -> None:
    with account():
        stack = deploy(Zone="eu-west-3b")
        (subnet,) = boto3.client("ec2", REGION).describe_subnets(SubnetIds=[stack.names["Subnet"]])["Subnets"]
    assert (subnet["AvailabilityZone"], subnet["CidrBlock"]) == ("eu-west-3b", "10.97.0.0/24")
    assert not SECOND_ZONE & set(stack.resources)


def test_with_a_second_zone_emr_may_choose_and_reaches_everything_from_both() -> None:
    with account():
        stack = deploy(Zone="eu-west-3b", SecondZone="eu-west-3c", KmsKeyArn=GIVEN["KmsKeyArn"])
        ids = [stack.names["Subnet"], stack.names["SecondSubnet"]]
        subnets = boto3.client("ec2", REGION).describe_subnets(SubnetIds=ids)["Subnets"]
        endpoints = boto3.client("ec2", REGION).describe_vpc_endpoints()["VpcEndpoints"]
    assert {(subnet["AvailabilityZone"], subnet["CidrBlock"]) for subnet in subnets} == {
        ("eu-west-3b", "10.97.0.0/25"),
        ("eu-west-3c", "10.97.0.128/25"),
    }
    assert stack.environ["ORCHARD_SUBNETS"] == ",".join(ids)
    assert EMR_TAG in stack.properties("SecondSubnet")["Tags"]
    interfaces = [one for one in endpoints if one["VpcEndpointType"] == "Interface"]
    assert [set(one["SubnetIds"]) for one in interfaces] == [set(ids)] * 2
    routed = stack.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
    assert {(one["SubnetId"], one["RouteTableId"]) for one in routed} == {
        (subnet, stack.names["RouteTable"]) for subnet in ids
    }
    settings = settings_of(stack)
    request = run_job_flow(run_tags("orchard_features", "manual__2026", settings), 2, settings)
    assert request["Instances"]["Ec2SubnetIds"] == ids


@pytest.mark.parametrize("zone", ["eu-west-3", "b", "eu-west-3b,eu-west-3c"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    for name in ("Zone", "SecondZone"):
        pattern = template()["Parameters"][name]["AllowedPattern"]
        assert not re.fullmatch(pattern, zone)
        assert re.fullmatch(pattern, "us-gov-west-1a")


def test_with_a_key_nodes_of_the_own_network_reach_kms_for_that_key_only() -> None:
    with account():
        stack = deploy(KmsKeyArn=GIVEN["KmsKeyArn"])
    endpoint = stack.properties("KmsEndpoint")
    assert endpoint["ServiceName"] == f"com.amazonaws.{REGION}.kms"
    assert endpoint["PrivateDnsEnabled"] is True
    assert endpoint["SecurityGroupIds"] == [stack.names["EmrEndpointGroup"]]
    (way_out,) = endpoint["PolicyDocument"]["Statement"]
    (use_key,) = stack.properties("NodeKeyPolicy")["PolicyDocument"]["Statement"]
    assert (way_out["Action"], way_out["Resource"]) == (use_key["Action"], use_key["Resource"])


def test_nodes_look_up_names_of_aws_and_their_own_and_no_others(plain: Stack) -> None:
    first, last = plain.properties("NameRules")["FirewallRules"]
    lists = {plain.names[name]: plain.properties(name)["Domains"] for name in ("NamesOfAws", "AllNames")}
    assert (first["Action"], lists[first["FirewallDomainListId"]]) == (
        "ALLOW",
        ["*.amazonaws.com", "*.compute.internal", "*.ec2.internal", "*.in-addr.arpa"],
    )
    assert (last["Action"], lists[last["FirewallDomainListId"]]) == ("BLOCK", ["*"])
    assert first["Priority"] < last["Priority"]
    assert plain.properties("NameRulesOfVpc")["VpcId"] == plain.names["Vpc"]


def test_who_read_or_wrote_an_object_of_the_lake_is_recorded_where_only_cloudtrail_writes(
    given: Stack,
) -> None:
    (selector,) = given.properties("Trail")["EventSelectors"]
    assert selector["ReadWriteType"] == "All"
    assert selector["DataResources"] == [
        {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{LAKE}/"]},
    ]
    allowed = [
        statement
        for statement in given.properties("RecordsPolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert {statement["Principal"]["Service"] for statement in allowed} == {"cloudtrail.amazonaws.com"}
    sources = {statement["Condition"]["StringEquals"]["aws:SourceArn"] for statement in allowed}
    assert sources == {f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/orchard"}
    assert "records" not in str(given.of_type("AWS::IAM::ManagedPolicy").values())


@pytest.mark.parametrize("name", ["s3://images", "images/fruits", "Images", "*", "im?ges", "a"])
def test_what_is_no_name_of_a_bucket_is_refused(name: str) -> None:
    """It becomes a part of ARNs, in which a star would be another bucket."""
    pattern = template()["Parameters"]["ImagesBucket"]["AllowedPattern"]
    assert not re.fullmatch(pattern, name)
    assert re.fullmatch(pattern, "images.of-fruits-1")


HOSTILE = ["$(id)", "`id`", "a b", "a'b", 'a"b', "a;b", "a\nb", "a*", "a?", "${aws:username}", "é"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_policies_and_shells_would_read_otherwise_is_in_no_parameter(text: str) -> None:
    """Parameters become parts of ARNs and of Airflow's startup script."""
    given = {"ImagesPrefix": text, "AirflowRole": text, "TlsCertificates": f"s3://b/{text}.zip"}
    given["AlarmEmail"] = f"{text}@example.org"
    for name, value in given.items():
        assert not re.fullmatch(template()["Parameters"][name]["AllowedPattern"], value), name


def test_every_parameter_that_takes_any_text_says_which() -> None:
    free = {
        name
        for name, found in template()["Parameters"].items()
        if found["Type"] == "String" and not {"AllowedPattern", "AllowedValues"} & set(found)
    }
    assert free == set()
    for name, value in GIVEN.items():
        pattern = template()["Parameters"][name].get("AllowedPattern", re.escape(value))
        assert re.fullmatch(pattern, value), name


def test_the_network_is_tagged_as_emr_wants_it(plain: Stack) -> None:
    for name in ("Vpc", "Subnet", "EmrEndpoint", "EmrEndpointGroup", "NodeGroup"):
        assert EMR_TAG in plain.properties(name)["Tags"], name


def test_nodes_take_imdsv2_only_and_from_nowhere_but_the_node(plain: Stack, given: Stack) -> None:
    for stack in (plain, given):
        configuration = stack.properties("Security")["SecurityConfiguration"]
        assert configuration["InstanceMetadataServiceConfiguration"] == {
            "MinimumInstanceMetadataServiceVersion": 2,
            "HttpPutResponseHopLimit": 1,
        }


def test_disks_and_traffic_are_encrypted_where_there_are_a_key_and_certificates(
    plain: Stack, given: Stack
) -> None:
    assert "EncryptionConfiguration" not in plain.properties("Security")["SecurityConfiguration"]
    assert given.properties("Security")["SecurityConfiguration"]["EncryptionConfiguration"] == {
        "EnableAtRestEncryption": True,
        "AtRestEncryptionConfiguration": {
            "LocalDiskEncryptionConfiguration": {
                "EncryptionKeyProviderType": "AwsKms",
                "AwsKmsKey": GIVEN["KmsKeyArn"],
                "EnableEbsEncryption": True,
            }
        },
        "EnableInTransitEncryption": True,
        "InTransitEncryptionConfiguration": {
            "TLSCertificateConfiguration": {
                "CertificateProviderType": "PEM",
                "S3Object": GIVEN["TlsCertificates"],
            }
        },
    }


def test_the_alarm_is_of_the_whole_account_at_80_and_100_percent(given: Stack) -> None:
    budget = given.properties("Budget")
    assert "CostFilters" not in budget["Budget"]
    assert str(budget["Budget"]["BudgetLimit"]["Amount"]) == "100"
    notifications = [one["Notification"] for one in budget["NotificationsWithSubscribers"]]
    assert [(one["NotificationType"], one["Threshold"]) for one in notifications] == [
        ("ACTUAL", 80),
        ("ACTUAL", 100),
        ("FORECASTED", 100),
    ]


def test_the_outputs_are_variables_that_orchard_reads(plain: Stack, given: Stack) -> None:
    names = {variable.name for variable in table()}
    for stack in (plain, given):
        assert set(stack.environ) <= names
        assert stack.environ["ORCHARD_LAKE"] == f"s3://{LAKE}"
    assert given.environ["ORCHARD_IMAGES"] == "s3://photographs/fruit/2026"
    assert given.environ["ORCHARD_SUBNETS"] == GIVEN["SubnetIds"]
    assert settings_of(given).signals.queue_url == given.outputs["QueueUrl"]
    assert settings_of(plain).signals.queue_url is None


def test_with_the_outputs_orchard_asks_for_a_cluster_that_emr_understands(plain: Stack, given: Stack) -> None:
    """Against botocore's model of RunJobFlow, on moto; and the names are those of the stack."""
    for stack in (plain, given):
        settings = settings_of(stack)
        request = run_job_flow(run_tags("orchard_features", "manual__2026", settings), 2, settings)
        with account():
            assert boto3.client("emr", REGION).run_job_flow(**request)["JobFlowId"]
        assert request["JobFlowRole"] == stack.names["NodeProfile"]
        assert request["ServiceRole"] == stack.names["ServiceRole"]
        assert request["SecurityConfiguration"] == stack.names["Security"]
        assert request["Instances"]["Ec2SubnetIds"] == stack.environ["ORCHARD_SUBNETS"].split(",")
        assert request["LogUri"] == f"s3://{LAKE}/logs/"
    settings = settings_of(plain)
    groups = run_job_flow(run_tags("d", "r", settings), 2, settings)["Instances"]
    assert groups["EmrManagedSlaveSecurityGroup"] == plain.names["NodeGroup"]
    assert groups["ServiceAccessSecurityGroup"] == plain.names["EmrEndpointGroup"]


def test_policies_fit_into_iams_limits(given: Stack) -> None:
    """6,144 characters for a managed policy, 10,240 for all of a role's own; spaces do not count."""
    for name, policy in given.of_type("AWS::IAM::ManagedPolicy").items():
        assert len(str(policy["PolicyDocument"]).replace(" ", "")) <= 6144, name
    own = given.of_type("AWS::IAM::RolePolicy").values()
    for name, role in given.of_type("AWS::IAM::Role").items():
        documents = [policy["PolicyDocument"] for policy in (*role["Policies"], *own)]
        assert len(str(documents).replace(" ", "")) <= 10_240, name
