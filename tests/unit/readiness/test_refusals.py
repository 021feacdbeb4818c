"""What whoever asks may not see is skipped, never failed; a check that breaks hides no other."""

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from botocore import xform_name
from botocore.parsers import ResponseParserError
from botocore.session import Session

from readiness import preflight
from readiness.finding import Finding, Outcome, to_printable
from readiness.preflight import CHECKS, Check
from readiness.refusals import PERMISSIONS
from readiness.target import BOUNDS, Clients, Target
from tests.support.checkout import ROOT
from tests.unit.infra.policies import actions_of
from tests.unit.infra.test_calls import IMPLIED, action_of, called, operations_called
from tests.unit.readiness.sound_account import SoundAccount, list_failed, list_skipped
from tests.unit.readiness.test_sound_account import remove_tags

SERVICES = ("ec2", "emr", "glue", "iam", "mwaa", "s3", "service-quotas", "sns", "sqs")
ELSEWHERE = {
    "GetAWSDefaultServiceQuota": "asked where GetServiceQuota knows none",
    "HeadBucket": "S3 tells the region where it denies the rest",
    "GetEnvironment": "asked where there is managed Airflow",
    "ListAttachedRolePolicies": "asked for the tags, which are there",
    "ListReleaseLabels": "asked for what to name instead",
}
"""Operations whose refusal is no row of a sound account, and why."""


@cache
def operations() -> dict[str, str]:
    """Return the methods of the clients that a preflight has, with the names of their operations."""
    models = [Session().get_service_model(name) for name in SERVICES]
    return {xform_name(name): name for model in models for name in model.operation_names}


def test_every_operation_has_its_permission() -> None:
    """And no other: the list is what docs/how-to/preflight.md has whoever asks allowed."""
    sources = [path.read_text() for path in (ROOT / "readiness").rglob("*.py")]
    methods = {name for source in sources for name in called(source)}
    # The network's are described by their names.
    texts = {
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    found = {operations()[name] for name in (methods | texts) & operations().keys()}
    of_sensing = {"HeadBucket"}  # asked by orchard.sensing.regions, as a night does
    assert found | of_sensing == set(PERMISSIONS)


def test_the_guide_has_every_permission() -> None:
    section = (
        (ROOT / "docs" / "how-to" / "preflight.md").read_text().split("| permissions |")[1].split("## ")[0]
    )
    assert set(re.findall(r"`(\w+:\w+)`", section)) == set(PERMISSIONS.values())


@pytest.mark.parametrize("permission", sorted(set(PERMISSIONS.values())))
def test_every_permission_is_one_of_iam_and_only_reads(permission: str) -> None:
    service, _, name = permission.partition(":")
    assert permission.lower() in actions_of(service)
    assert re.match("Get|List|Describe|Simulate", name)


def test_what_is_simulated_is_what_the_dags_call(sound: SoundAccount) -> None:
    sound.environ["ORCHARD_GLUE_DATABASE"] = sound.environ["ORCHARD_QUEUE_URL"] = ""
    sound.environ["ORCHARD_NOTIFY_CONN_ID"] = ""
    sound.ask()
    role = "arn:aws:iam::123456789012:role/airflow"
    asked = [
        params["ActionNames"]
        for name, params in sound.calls
        if name == "SimulatePrincipalPolicy" and params["PolicySourceArn"] == role
    ]
    simulated = {action for actions in asked for action in actions} - {"iam:PassRole"}
    prices = {"ec2:DescribeSpotPriceHistory"}  # a night does without
    assert simulated == {action_of(method) for method in operations_called()} | set(IMPLIED) - prices


def test_a_permission_that_is_lacking_is_named_and_nothing_fails(sound: SoundAccount) -> None:
    known = dict(sound.answers)
    for operation, permission in PERMISSIONS.items():
        sound.answers = dict(known)
        sound.refuse(operation)
        findings = sound.ask()
        assert list_failed(findings) == [], operation
        remedies = [finding.remedy for finding in list_skipped(findings)]
        said = any(f"allow {permission}, or use other credentials" in remedy for remedy in remedies)
        assert said is (operation not in ELSEWHERE), operation


def test_whether_the_tag_is_needed_may_be_unknown(sound: SoundAccount) -> None:
    remove_tags(sound)
    sound.refuse("ListAttachedRolePolicies")
    findings = sound.ask()
    assert list_failed(findings) == []
    assert {finding.remedy for finding in list_skipped(findings)} == {
        "allow iam:ListAttachedRolePolicies, or set the tag"
    }


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("UnauthorizedOperation", "these credentials lack ec2:DescribeVpcs"),
        ("RequestLimitExceeded", "AWS did not answer: RequestLimitExceeded"),
        ("RequestExpired", "AWS rejects these credentials: RequestExpired"),
    ],
)
def test_what_is_no_fault_of_the_account_is_skipped(code: str, said: str, sound: SoundAccount) -> None:
    sound.refuse("DescribeVpcs", code=code)
    findings = sound.ask()
    assert list_failed(findings) == []
    (finding,) = list_skipped(findings)
    assert (finding.check, finding.found[: len(said)]) == ("VPC", said)


def test_an_answer_that_is_none_of_aws_is_skipped(sound: SoundAccount) -> None:
    def answer(_: Mapping[str, Any]) -> dict[str, Any]:
        raise ResponseParserError("invalid XML")

    sound.answers["DescribeVpcs"] = answer
    (finding,) = list_skipped(sound.ask())
    assert finding.found == "cannot reach AWS: invalid XML"
    sound.answers["GetCallerIdentity"] = answer
    assert [finding.check for finding in list_failed(sound.ask())] == ["credentials"]


def test_an_error_that_nobody_expects_fails_with_the_words_of_aws(sound: SoundAccount) -> None:
    sound.refuse("DescribeVpcs", code="InvalidParameterValue", status=400)
    (finding,) = list_failed(sound.ask())
    assert "(InvalidParameterValue) when calling the DescribeVpcs operation" in finding.found


def test_a_check_that_breaks_hides_no_other(sound: SoundAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sound.ask()

    def break_down(_: Target) -> list[Finding]:
        raise KeyError("Zones")

    monkeypatch.setattr(preflight, "CHECKS", (CHECKS[0], Check("new", break_down), *CHECKS[1:]))
    findings = sound.ask()
    (broken,) = list_failed(findings)
    assert (broken.check, broken.found) == ("new", "the check crashed: KeyError: 'Zones'")
    assert [finding for finding in findings if finding is not broken] == whole


def test_a_denied_call_that_depends_on_the_real_request_is_skipped(sound: SoundAccount) -> None:
    """The simulator does not know from where a request comes."""
    of_resource: dict[str, Any] = {
        "EvalResourceName": "arn:aws:s3:::lake",
        "EvalResourceDecision": "explicitDeny",
    }
    of_resource["MissingContextValues"] = ["aws:SourceVpce", "s3:prefix"]

    def deny(params: Mapping[str, Any]) -> dict[str, Any]:
        denied = {"EvalDecision": "explicitDeny", "ResourceSpecificResults": [of_resource]}
        return {"EvaluationResults": [{"EvalActionName": name, **denied} for name in params["ActionNames"]]}

    sound.answers["SimulatePrincipalPolicy"] = deny
    findings = sound.ask()
    assert list_failed(findings) == []
    assert {finding.found for finding in list_skipped(findings)} == {
        "it depends on aws:SourceVpce, which only a real request has"
    }


def test_what_the_simulator_says_nothing_of_is_not_allowed(sound: SoundAccount) -> None:
    sound.answers["SimulatePrincipalPolicy"] = lambda _: {"EvaluationResults": []}
    failed = list_failed(sound.ask())
    assert failed[0].found == "denied: elasticmapreduce:RunJobFlow on *"


def test_root_cannot_be_simulated(sound: SoundAccount) -> None:
    root = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root"}
    sound.answers["GetCallerIdentity"] = lambda _: root
    (finding,) = list_skipped(sound.ask(role=""))
    assert finding.remedy == "name Airflow's role: --airflow-role=NAME"


def test_without_valid_credentials_nothing_else_is_asked(sound: SoundAccount) -> None:
    sound.refuse("GetCallerIdentity", code="ExpiredToken")
    findings = sound.ask()
    assert [finding.check for finding in list_failed(findings)] == ["credentials"]
    assert len(list_skipped(findings)) == len(CHECKS)
    assert [name for name, _ in sound.calls] == ["GetCallerIdentity"]


def test_without_a_region_nothing_is_asked(sound: SoundAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    sound.environ["ORCHARD_REGION"] = ""
    findings = sound.ask()
    assert [finding.remedy for finding in list_failed(findings)] == [
        "set ORCHARD_REGION, for example to eu-west-3"
    ]
    assert sound.calls == []


def test_a_topic_in_airflows_own_store_is_skipped(sound: SoundAccount) -> None:
    del sound.environ["AIRFLOW_CONN_TEAM"]
    (finding,) = list_skipped(sound.ask())
    assert finding.found == "AIRFLOW_CONN_TEAM names no topic; the connection may be stored in Airflow"


def test_names_from_aws_obey_no_terminal() -> None:
    hostile = Finding("subnet", Outcome.PASS, "a\x1b[2Jb\nc\u202ed [bold]", "e" * 2000)
    assert hostile.found == r"a\x1b[2Jb\nc\u202ed [bold]"
    assert len(hostile.remedy) == len(to_printable("e" * 2000)) == 1000


def test_clients_give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    clients = Clients("eu-west-3")
    config = clients.get("sqs").meta.config
    assert (
        (config.connect_timeout, config.read_timeout)
        == (5, 15)
        == (
            BOUNDS.connect_timeout,
            BOUNDS.read_timeout,
        )
    )
    assert config.retries["total_max_attempts"] == 2
    assert clients.get("sqs") is clients.get("sqs")
