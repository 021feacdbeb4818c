"""In the account that infra/orchard.yaml makes, a night would start."""

from readiness.finding import Outcome
from tests.unit.infra.policies import role_arn
from tests.unit.infra.stack import ACCOUNT, LAKE
from tests.unit.readiness.sound_account import SoundAccount, list_failed


def test_nothing_fails_and_nothing_is_skipped(sound: SoundAccount) -> None:
    findings = sound.ask()
    assert [finding for finding in findings if finding.outcome is not Outcome.PASS] == []
    assert [finding.check for finding in findings] == [
        *("region", "credentials", "release", "instance types", "security configuration", "on-demand quota"),
        f"subnet {sound.stack.names['Subnet']}",
        "zone eu-west-3a",
        f"VPC {sound.stack.names['Vpc']}",
        f"security group {sound.stack.names['NodeGroup']}",
        f"security group {sound.stack.names['EmrEndpointGroup']}",
        f"route to S3 from {sound.stack.names['Subnet']}",
        *("service role", "instance profile"),
        *("airflow may create clusters", "airflow may tag clusters", "airflow may find clusters"),
        *(
            "airflow may use and terminate clusters",
            "airflow may list the lake",
            "airflow may list the images",
        ),
        *("airflow may read the model and logs", "airflow may publish runs", "airflow may keep the ledger"),
        *("airflow may receive events of new images", "airflow may send alerts"),
        *("airflow may register runs in Glue", "airflow may pass EMR its role"),
        "airflow may pass nodes their role",
        *("nodes may list the lake", "nodes may read code, model and images"),
        *("nodes may write results", "nodes may write logs"),
        f"bucket {LAKE}",
        *("lake: versioning", "lake: encryption", "lake: public access", "lake: unfinished uploads"),
        *("model", "code", "SQS queue", "SNS topic", "Glue database"),
    ]


def test_it_only_reads(sound: SoundAccount) -> None:
    sound.ask()
    verbs = ("Describe", "Get", "Head", "List", "Simulate")
    assert [name for name, _ in sound.calls if not name.startswith(verbs)] == []


def test_spot_nodes_are_held_against_their_own_quota(sound: SoundAccount) -> None:
    sound.environ |= {"ORCHARD_TASK_NODES": "4"}
    (found,) = [finding for finding in sound.ask() if finding.check == "Spot quota"]
    assert found.found == "256 vCPUs (L-34B43A08); 1 primary, 1 core and 4 task nodes need 16"
    asked = [params["QuotaCode"] for name, params in sound.calls if name == "GetServiceQuota"]
    assert asked == ["L-1216C47A", "L-34B43A08"]


def test_a_quota_that_nobody_has_changed_is_that_of_aws(sound: SoundAccount) -> None:
    sound.refuse("GetServiceQuota", code="NoSuchResourceException", status=400)
    sound.answers["GetAWSDefaultServiceQuota"] = lambda _: {"Quota": {"Value": 5.0}}
    (found,) = list_failed(sound.ask())
    assert found.found.startswith("5 vCPUs")


def test_a_quota_for_small_nights_only_passes_and_says_so(sound: SoundAccount) -> None:
    sound.quota = 32
    (found,) = [finding for finding in sound.ask() if finding.check == "on-demand quota"]
    assert found.outcome is Outcome.PASS
    assert found.found.endswith("need 8, the largest cluster 68, which exceeds the quota")


def test_a_night_of_more_images_asks_for_more(sound: SoundAccount) -> None:
    (found,) = [finding for finding in sound.ask(new_images=100_000) if finding.check == "on-demand quota"]
    assert "1 primary, 2 core and 0 task nodes need 12" in found.found


def test_without_the_option_whoever_asks_is_simulated(sound: SoundAccount) -> None:
    sound.ask(role="")
    assert simulated_principals(sound) == {f"arn:aws:sts::{ACCOUNT}:user/moto"}


def test_a_session_of_a_role_is_simulated_as_that_role(sound: SoundAccount) -> None:
    """The ARN of a session has neither the path of the role nor policies."""
    arn = sound.client("iam").create_role(RoleName="admin", Path="/people/", AssumeRolePolicyDocument="{}")[
        "Role"
    ]["Arn"]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/me"
    sound.answers["GetCallerIdentity"] = lambda _: {"Account": ACCOUNT, "Arn": session}
    sound.ask(role="")
    assert simulated_principals(sound) == {arn}


def simulated_principals(sound: SoundAccount) -> set[str]:
    """Return who was simulated, beside the nodes."""
    asked = {params["PolicySourceArn"] for name, params in sound.calls if name == "SimulatePrincipalPolicy"}
    return asked - {role_arn(sound.stack, "NodeRole")}


def test_a_role_without_the_managed_policy_needs_no_tags(sound: SoundAccount) -> None:
    sound.answers["ListAttachedRolePolicies"] = lambda _: {"AttachedPolicies": []}
    remove_tags(sound)
    assert list_failed(sound.ask()) == []


def remove_tags(sound: SoundAccount) -> None:
    names = [sound.stack.names[name] for name in ("Vpc", "Subnet", "NodeGroup", "EmrEndpointGroup")]
    tag = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}
    sound.client("ec2").delete_tags(Resources=names, Tags=[tag])
