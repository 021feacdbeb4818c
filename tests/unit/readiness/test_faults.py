"""What would keep a night from starting is found, and its remedy named."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.unit.infra.stack import ACCOUNT, LAKE, REGION
from tests.unit.readiness.sound_account import MODEL, SoundAccount, list_failed
from tests.unit.readiness.test_sound_account import remove_tags

Fault = Callable[[SoundAccount], object]


def trust(service: str, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]})


def set_trust(sound: SoundAccount, role: str, document: str) -> None:
    name = sound.stack.names[role]
    sound.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=document)


def name_unknown_release(sound: SoundAccount) -> None:
    sound.environ["ORCHARD_RELEASE"] = "emr-spark-8.9.0"
    sound.answers["ListReleaseLabels"] = lambda _: {"ReleaseLabels": ["emr-spark-8.0.0", "emr-spark-8.1.0"]}


def name_unsupported_type(sound: SoundAccount) -> None:
    sound.supported -= {"m7i.xlarge"}


def name_type_of_other_zones(sound: SoundAccount) -> None:
    sound.environ["ORCHARD_CORE_TYPES"] = "m9i.xlarge"
    sound.supported |= {"m9i.xlarge"}


def lower_quota(sound: SoundAccount) -> None:
    sound.quota = 5


def take_all_addresses(sound: SoundAccount) -> None:
    sound.moto_subnet()._available_ip_addresses = 2


def name_unknown_subnet(sound: SoundAccount) -> None:
    sound.environ["ORCHARD_SUBNETS"] += ",subnet-0a1b2c3d"


def name_unknown_group(sound: SoundAccount) -> None:
    groups = sound.environ["ORCHARD_SECURITY_GROUPS"].split(",")
    sound.environ["ORCHARD_SECURITY_GROUPS"] = f"{groups[0]},sg-0a1b2c3d"


def name_group_of_another_vpc(sound: SoundAccount) -> None:
    ec2 = sound.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.98.0.0/24")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    sound.environ["ORCHARD_SECURITY_GROUPS"] = f"{sound.stack.names['NodeGroup']},{group}"


def remove_endpoint(sound: SoundAccount) -> None:
    ec2 = sound.client("ec2")
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    ids = [one["VpcEndpointId"] for one in endpoints if one["VpcEndpointType"] == "Gateway"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=ids)


def trust_nobody(sound: SoundAccount) -> None:
    set_trust(sound, "ServiceRole", trust("lambda.amazonaws.com"))


def trust_for_another_account(sound: SoundAccount) -> None:
    elsewhere = {"aws:SourceAccount": "999999999999"}
    set_trust(sound, "ServiceRole", trust("elasticmapreduce.amazonaws.com", StringEquals=elsewhere))


def trust_no_nodes(sound: SoundAccount) -> None:
    set_trust(sound, "NodeRole", trust("elasticmapreduce.amazonaws.com"))


def deny_pass_role(sound: SoundAccount) -> None:
    sound.denied |= {"iam:PassRole"}


def deny_termination(sound: SoundAccount) -> None:
    sound.denied |= {"elasticmapreduce:TerminateJobFlows"}


def suspend_versioning(sound: SoundAccount) -> None:
    suspended = {"Status": "Suspended"}
    sound.client("s3").put_bucket_versioning(Bucket=LAKE, VersioningConfiguration=suspended)


def remove_public_access_block(sound: SoundAccount) -> None:
    sound.client("s3").delete_public_access_block(Bucket=LAKE)


def limit_lifecycle_rule(sound: SoundAccount) -> None:
    rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "logs/"}}
    rules = {"Rules": [{**rule, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}]}
    sound.client("s3").put_bucket_lifecycle_configuration(Bucket=LAKE, LifecycleConfiguration=rules)


def remove_lifecycle(sound: SoundAccount) -> None:
    sound.client("s3").delete_bucket_lifecycle(Bucket=LAKE)


def remove_encryption(sound: SoundAccount) -> None:
    sound.client("s3").delete_bucket_encryption(Bucket=LAKE)


def remove_object(key: str) -> Fault:
    return lambda sound: sound.client("s3").delete_object(Bucket=LAKE, Key=key)


def spoil_card(sound: SoundAccount) -> None:
    sound.client("s3").put_object(Bucket=LAKE, Key=f"{MODEL}/card.json", Body=b"<html>")


def set_variable(name: str, value: str) -> Fault:
    return lambda sound: sound.environ.update({name: value})


def set_topic(sound: SoundAccount) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:nobody"
    sound.environ["AIRFLOW_CONN_TEAM"] = json.dumps({"conn_type": "aws", "extra": {"topic_arn": topic}})


FAULTS: dict[str, tuple[Fault, str, str, str]] = {
    "no such release": (
        name_unknown_release,
        "release",
        "EMR has no release emr-spark-8.9.0 in this region",
        "set ORCHARD_RELEASE to one of emr-spark-8.1.0, emr-spark-8.0.0",
    ),
    "a type that the release does not support": (
        name_unsupported_type,
        "instance types",
        "does not support m7i.xlarge in ORCHARD_PRIMARY_TYPES; m7i.xlarge in ORCHARD_CORE_TYPES",
        "name types that it supports",
    ),
    "a quota of 5 vCPUs": (
        lower_quota,
        "on-demand quota",
        "5 vCPUs (L-1216C47A); 1 primary, 1 core and 0 task nodes need 8",
        "--quota-code L-1216C47A --desired-value 68",
    ),
    "a zone without the type": (
        name_type_of_other_zones,
        "zone eu-west-3a",
        "it offers no type of the core fleet",
        "ORCHARD_CORE_TYPES",
    ),
    "no free addresses": (
        take_all_addresses,
        "subnet {Subnet}",
        "free addresses, but 1 primary, 1 core and 0 task nodes need 2",
        "ORCHARD_SUBNETS",
    ),
    "no such subnet": (
        name_unknown_subnet,
        "subnet subnet-0a1b2c3d",
        "there is none in this region",
        "correct ORCHARD_SUBNETS",
    ),
    "no such security group": (
        name_unknown_group,
        "security group sg-0a1b2c3d",
        "there is none in this region",
        "correct ORCHARD_SECURITY_GROUPS",
    ),
    "a private network without an endpoint for S3": (
        remove_endpoint,
        "route to S3 from {Subnet}",
        "it has no default route, and there is no endpoint for S3",
        "aws ec2 create-vpc-endpoint --vpc-id {Vpc} --service-name com.amazonaws.eu-west-3.s3",
    ),
    "a service role that EMR may not take": (
        trust_nobody,
        "service role",
        "{ServiceRole} does not trust elasticmapreduce.amazonaws.com",
        "allow sts:AssumeRole to elasticmapreduce.amazonaws.com",
    ),
    "a service role for another account": (
        trust_for_another_account,
        "service role",
        "only under another condition: aws:SourceAccount must be 999999999999",
        "correct the condition",
    ),
    "an instance profile that EC2 may not take": (
        trust_no_nodes,
        "instance profile",
        "{NodeRole} does not trust ec2.amazonaws.com",
        "allow sts:AssumeRole to ec2.amazonaws.com",
    ),
    "no such service role": (
        set_variable("ORCHARD_SERVICE_ROLE", "EMR_DefaultRole_V2"),
        "service role",
        "there is no role EMR_DefaultRole_V2",
        "correct ORCHARD_SERVICE_ROLE",
    ),
    "no such instance profile": (
        set_variable("ORCHARD_INSTANCE_PROFILE", "EMR_EC2_DefaultRole"),
        "instance profile",
        "there is no instance profile EMR_EC2_DefaultRole",
        "correct ORCHARD_INSTANCE_PROFILE",
    ),
    "a cluster that Airflow may not end": (
        deny_termination,
        "airflow may use and terminate clusters",
        "denied: elasticmapreduce:TerminateJobFlows on arn:aws:elasticmapreduce:eu-west-3",
        "deploy infra/orchard.yaml with AirflowRole=airflow",
    ),
    "versioning off": (
        suspend_versioning,
        "lake: versioning",
        "off",
        f"aws s3api put-bucket-versioning --bucket {LAKE} --versioning-configuration Status=Enabled",
    ),
    "no public access block": (
        remove_public_access_block,
        "lake: public access",
        "the bucket itself does not set BlockPublicAcls",
        f"aws s3api put-public-access-block --bucket {LAKE}",
    ),
    "no lifecycle rules": (
        remove_lifecycle,
        "lake: unfinished uploads",
        "no lifecycle rule removes them",
        "AbortIncompleteMultipartUpload of 1 day",
    ),
    "a lifecycle rule for logs only": (
        limit_lifecycle_rule,
        "lake: unfinished uploads",
        "no lifecycle rule removes them",
        "AbortIncompleteMultipartUpload of 1 day",
    ),
    "no encryption": (
        remove_encryption,
        "lake: encryption",
        "none",
        f"aws s3api put-bucket-encryption --bucket {LAKE}",
    ),
    "no model": (
        remove_object(f"{MODEL}/card.json"),
        "model",
        f"s3://{LAKE}/{MODEL} has no card.json",
        "correct ORCHARD_MODEL; `orchard deploy --model=FOLDER`",
    ),
    "half a model": (
        remove_object(f"{MODEL}/model.bin"),
        "model",
        f"s3://{LAKE}/{MODEL} lacks model.bin",
        "upload it again",
    ),
    "a card that is none": (spoil_card, "model", "is invalid", "correct ORCHARD_MODEL"),
    "no code": (
        remove_object("code/0847ef6bd432/orchard_jobs.zip"),
        "code",
        f"s3://{LAKE}/code/0847ef6bd432 lacks orchard_jobs.zip",
        "`orchard deploy` uploads it",
    ),
    "no such security configuration": (
        set_variable("ORCHARD_SECURITY_CONFIGURATION", "nothing"),
        "security configuration",
        "EMR has no nothing in this region",
        "correct ORCHARD_SECURITY_CONFIGURATION",
    ),
    "no such queue": (
        set_variable("ORCHARD_QUEUE_URL", f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orchard-nothing"),
        "SQS queue",
        "there is no https://sqs",
        "correct ORCHARD_QUEUE_URL",
    ),
    "no such topic": (set_topic, "SNS topic", "there is no arn:aws:sns", "connection team"),
    "no such database": (
        set_variable("ORCHARD_GLUE_DATABASE", "nothing"),
        "Glue database",
        "there is no nothing",
        "correct ORCHARD_GLUE_DATABASE",
    ),
}
"""What is wrong; and the one failure that is to be found: its check, what is said, and the remedy."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_with_its_remedy(fault: str, sound: SoundAccount) -> None:
    spoil, check, said, remedy = FAULTS[fault]
    spoil(sound)
    names = sound.stack.names
    found = {finding.check: finding for finding in list_failed(sound.ask())}
    finding = found.pop(check.format(**names))
    assert said.format(**names) in finding.found
    assert remedy.format(**names) in finding.remedy
    # The template's policies are for what the template makes, and for nothing else that is named.
    assert [name for name in found if not name.startswith(("airflow may", "nodes may"))] == []


def test_what_lacks_the_tag_is_named_with_the_command_that_sets_it(sound: SoundAccount) -> None:
    remove_tags(sound)
    names = sound.stack.names
    failed = list_failed(sound.ask())
    assert {finding.check for finding in failed} == {
        f"subnet {names['Subnet']}",
        f"VPC {names['Vpc']}",
        f"security group {names['NodeGroup']}",
        f"security group {names['EmrEndpointGroup']}",
    }
    subnet = names["Subnet"]
    assert failed[0].remedy == (
        f"aws ec2 create-tags --resources {subnet} "
        "--tags Key=for-use-with-amazon-emr-managed-policies,Value=true"
    )


def test_a_service_role_that_is_not_there_yet_will_need_the_tags(sound: SoundAccount) -> None:
    sound.refuse("ListAttachedRolePolicies", code="NoSuchEntity", status=404)
    remove_tags(sound)
    assert [finding.check.split()[0] for finding in list_failed(sound.ask())][:2] == ["subnet", "VPC"]


def test_the_subnets_of_the_default_vpc_lack_the_tag(sound: SoundAccount) -> None:
    """Where no subnets are set, EMR takes these."""
    sound.environ |= {"ORCHARD_SUBNETS": "", "ORCHARD_SECURITY_GROUPS": ""}
    failed = [finding for finding in list_failed(sound.ask()) if "lacks the tag" in finding.found]
    assert [finding.check.split()[0] for finding in failed] == ["subnet", "subnet", "subnet", "VPC"]


def test_a_bucket_in_another_region_is_named_with_both(sound: SoundAccount) -> None:
    boto3.client("s3", "us-east-1").create_bucket(Bucket="photographs")
    sound.environ["ORCHARD_IMAGES"] = "s3://photographs/fruit"
    found = {finding.check: finding for finding in list_failed(sound.ask())}
    finding = found["bucket photographs"]
    assert finding.found == "it is in us-east-1, but the cluster is in eu-west-3"
    assert finding.remedy == "name a bucket in eu-west-3, or set ORCHARD_REGION=us-east-1"


def test_a_denied_pass_role_is_found_for_both_roles(sound: SoundAccount) -> None:
    deny_pass_role(sound)
    failed = list_failed(sound.ask())
    assert [finding.check for finding in failed] == [
        "airflow may pass EMR its role",
        "airflow may pass nodes their role",
    ]
    role = f"arn:aws:iam::{ACCOUNT}:role/{sound.stack.names['ServiceRole']}"
    assert failed[0].found == f"denied: iam:PassRole on {role}"


def test_nodes_that_may_not_read_the_images_are_found(sound: SoundAccount) -> None:
    """The stack gives them those of one bucket only."""
    boto3.client("s3", REGION).create_bucket(
        Bucket="photographs", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    sound.environ["ORCHARD_IMAGES"] = "s3://photographs/fruit"
    found = {finding.check: finding for finding in list_failed(sound.ask())}
    assert set(found) == {"airflow may list the images", "nodes may read code, model and images"}
    finding = found["nodes may read code, model and images"]
    assert finding.found == "denied: s3:GetObject on arn:aws:s3:::photographs/fruit/preflight"
    assert f"the policies of {sound.stack.names['NodeRole']}" in finding.remedy


def test_a_security_group_of_another_vpc_is_found(sound: SoundAccount) -> None:
    name_group_of_another_vpc(sound)
    (finding,) = list_failed(sound.ask())
    assert f"the subnets are in {sound.stack.names['Vpc']}" in finding.found


def test_a_lake_that_is_no_bucket_is_found(sound: SoundAccount) -> None:
    sound.environ["ORCHARD_LAKE"] = "s3://nowhere"
    found = {finding.check: finding for finding in list_failed(sound.ask())}
    assert found["bucket nowhere"].found == "it does not exist"
    assert not [check for check in found if check.startswith("lake:")], "said once"


def test_a_lake_on_a_disk_is_found(sound: SoundAccount) -> None:
    sound.environ |= {"ORCHARD_LAKE": "file:///lake", "ORCHARD_GLUE_DATABASE": ""}
    found = {finding.check: finding for finding in list_failed(sound.ask())}
    assert found["ORCHARD_LAKE"].remedy == "set ORCHARD_LAKE to an s3:// URI"


def test_an_airflow_role_that_is_not_there_is_found(sound: SoundAccount) -> None:
    (finding,) = list_failed(sound.ask(role="nobody"))
    assert (finding.check, finding.remedy) == ("permissions", "correct --airflow-role")
