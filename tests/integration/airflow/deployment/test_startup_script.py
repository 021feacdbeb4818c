"""`orchard deploy --stack`: the outputs of infra/orchard.yaml become the variables of managed Airflow."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from deployment.startup_script import build_startup_script, parse_variables
from orchard_jobs.errors import OrchardError
from tests.support.airflow.deployments import BUCKET, REGION, objects, read
from tests.support.checkout import ROOT

Deploy = Callable[..., int]
STACK = "orchard"
TEMPLATE = f"""
Parameters:
  Glue: {{Type: String, Default: "no"}}
Conditions:
  HasGlue: !Equals [!Ref Glue, "yes"]
Resources:
  Topic: {{Type: AWS::SNS::Topic}}
Outputs:
  LakeUri: {{Description: ORCHARD_LAKE, Value: "s3://{BUCKET}"}}
  Region: {{Description: ORCHARD_REGION, Value: !Ref AWS::Region}}
  Subnets: {{Description: ORCHARD_SUBNETS, Value: "subnet-0a1b2c3d,subnet-1a2b3c4d"}}
  Glue: {{Condition: HasGlue, Description: ORCHARD_GLUE_DATABASE, Value: orchard}}
  Policy: {{Description: For the role that Airflow runs as, Value: "arn:aws:iam::1:policy/p"}}
"""
"""Outputs as those of infra/orchard.yaml, on the bucket of these tests."""
OF_STACK = {
    "ORCHARD_LAKE": f"s3://{BUCKET}",
    "ORCHARD_REGION": REGION,
    "ORCHARD_SUBNETS": "subnet-0a1b2c3d,subnet-1a2b3c4d",
}


@pytest.fixture
def cloudformation(s3: Any, moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of an AWS on loopback in which the stack is."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", moto_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", moto_url)
    client = boto3.client("cloudformation", REGION)
    client.create_stack(StackName=STACK, TemplateBody=TEMPLATE)
    return client


def script(s3: Any) -> dict[str, str]:
    return parse_variables(read(s3, "startup.sh").decode(), "startup.sh")


@pytest.mark.usefixtures("cloudformation")
def test_the_stack_gives_the_bucket_and_the_variables(deploy: Deploy, model: Path, s3: Any) -> None:
    assert deploy(BUCKET="", STACK=STACK, MODEL=str(model)) == 0
    assert script(s3) == OF_STACK
    assert "dags/orchard/deployed.json" in objects(s3)
    before = objects(s3)
    assert deploy(BUCKET="", STACK=STACK) == 0
    assert objects(s3) == before


@pytest.mark.usefixtures("cloudformation")
def test_settings_go_over_the_stacks(deploy: Deploy, model: Path, s3: Any, tmp_path: Path) -> None:
    settings = tmp_path / "night.env"
    settings.write_text("# of the night\nORCHARD_SUBNETS=subnet-9\n\nexport ORCHARD_CRON='0 3 * * *'\n")
    assert deploy(STACK=STACK, MODEL=str(model), SETTINGS=str(settings)) == 0
    changed = {"ORCHARD_SUBNETS": "subnet-9", "ORCHARD_CRON": "0 3 * * *"}
    assert script(s3) == {**OF_STACK, **changed}


@pytest.mark.usefixtures("cloudformation")
def test_settings_alone_change_what_is_there(deploy: Deploy, model: Path, s3: Any, tmp_path: Path) -> None:
    deploy(STACK=STACK, MODEL=str(model))
    settings = tmp_path / "night.env"
    settings.write_text("ORCHARD_COST_CEILING=5\nORCHARD_SUBNETS=\n")
    assert deploy(SETTINGS=str(settings)) == 0
    rest = {name: value for name, value in OF_STACK.items() if name != "ORCHARD_SUBNETS"}
    assert script(s3) == {**rest, "ORCHARD_COST_CEILING": "5"}


def test_without_stack_and_settings_it_is_left_alone(deploy: Deploy, model: Path, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="startup.sh", Body=b"apt-get install something\n")
    before = objects(s3)["startup.sh"]
    assert deploy(MODEL=str(model)) == 0
    assert objects(s3)["startup.sh"] == before


def refused(deploy: Deploy, s3: Any, capsys: Any, **variables: str) -> str:
    before = objects(s3)
    capsys.readouterr()
    assert deploy(**variables) == 2
    assert objects(s3) == before
    return str(capsys.readouterr().err)


@pytest.mark.usefixtures("cloudformation")
def test_no_setting_goes_unasked(deploy: Deploy, model: Path, s3: Any, tmp_path: Path, capsys: Any) -> None:
    settings = tmp_path / "night.env"
    settings.write_text("ORCHARD_COST_CEILING=5\n")
    deploy(STACK=STACK, MODEL=str(model), SETTINGS=str(settings))
    said = refused(deploy, s3, capsys, STACK=STACK)
    assert "startup.sh in the bucket sets ORCHARD_COST_CEILING: neither the stack nor --settings does" in said
    settings.write_text("ORCHARD_COST_CEILING=\n")
    assert deploy(STACK=STACK, SETTINGS=str(settings)) == 0
    assert script(s3) == OF_STACK


@pytest.mark.parametrize(
    "line",
    [
        "pip install x",
        "export A=$HOME",
        'A="`id`"',
        "A=1; id",
        "A=1 B=2",
        "a=1",
        "A='1",
        "A",
        "export",
        "é=1",
    ],
)
def test_a_script_or_settings_with_anything_but_settings_are_refused(line: str) -> None:
    """What a shell would do with it, Orchard does not, and would write something else in its place."""
    with pytest.raises(OrchardError, match=r"line 2 of night\.env: it must be NAME=value"):
        parse_variables(f"A='1'\n{line}\n", "night.env")


@pytest.mark.usefixtures("cloudformation")
def test_a_script_that_is_somebody_elses_is_not_overwritten(
    deploy: Deploy, model: Path, s3: Any, capsys: Any
) -> None:
    s3.put_object(Bucket=BUCKET, Key="startup.sh", Body=b"pip install something\n")
    said = refused(deploy, s3, capsys, STACK=STACK, MODEL=str(model))
    assert f"line 1 of s3://{BUCKET}/startup.sh: it must be NAME=value" in said


@pytest.mark.usefixtures("cloudformation")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ORCHARD_MODEL=s3://m/m", "sets ORCHARD_MODEL: deployments set it themselves"),
        ("ORCHARD_CODE=s3://m/m", "sets ORCHARD_CODE: deployments set it themselves"),
        ("ORCHARD_CORENODES=1", "sets ORCHARD_CORENODES: there is no such setting"),
        ("ORCHARD_CORE_NODES=many", "ORCHARD_CORE_NODES=many"),
        ("ORCHARD_CRON=now", "ORCHARD_CRON=now"),
    ],
)
def test_settings_with_which_the_dags_would_not_load_are_refused(
    line: str, expected: str, deploy: Deploy, model: Path, s3: Any, tmp_path: Path, capsys: Any
) -> None:
    settings = tmp_path / "night.env"
    settings.write_text(f"{line}\n")
    said = refused(deploy, s3, capsys, STACK=STACK, MODEL=str(model), SETTINGS=str(settings))
    assert expected in said


@pytest.mark.usefixtures("cloudformation")
def test_settings_that_are_not_there_are_told(
    deploy: Deploy, model: Path, s3: Any, tmp_path: Path, capsys: Any
) -> None:
    said = refused(deploy, s3, capsys, STACK=STACK, MODEL=str(model), SETTINGS=f"{tmp_path}/none")
    assert "No such file" in said


def test_a_stack_that_is_not_there_is_told(
    cloudformation: Any, deploy: Deploy, model: Path, s3: Any, capsys: Any
) -> None:
    said = refused(deploy, s3, capsys, STACK="another", MODEL=str(model))
    assert said.startswith("orchard: the stack another: there is none in eu-west-3: ")
    assert "Deploy infra/orchard.yaml first" in said
    cloudformation.create_stack(
        StackName="watch", TemplateBody="Resources:\n  Topic: {Type: AWS::SNS::Topic}\n"
    )
    said = refused(deploy, s3, capsys, STACK="watch", MODEL=str(model))
    assert "the stack watch is CREATE_COMPLETE: it has no output for the lake." in said


@pytest.mark.usefixtures("cloudformation")
def test_a_bucket_that_is_not_the_stacks_is_refused(
    deploy: Deploy, model: Path, s3: Any, capsys: Any
) -> None:
    said = refused(deploy, s3, capsys, STACK=STACK, BUCKET="another", MODEL=str(model))
    assert f"the bucket another: the bucket of the stack {STACK} is {BUCKET}" in said


def test_a_shell_reads_every_value_as_it_is(tmp_path: Path) -> None:
    values = {"A": "a,b", "B": 's3://lake/a b=c;$(id)`id`"*', "C": "it's $HOME", "D": "back\\slash"}
    (tmp_path / "startup.sh").write_bytes(build_startup_script(values))
    shown = "; ".join(f'printf "%s\\n" "${name}"' for name in values)
    command = ["sh", "-c", f"set -eu; . ./startup.sh; {shown}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(values.values())
    assert parse_variables((tmp_path / "startup.sh").read_text(), "startup.sh") == values


def test_the_variables_are_told_as_orchard_yaml_tells_them() -> None:
    """By the descriptions of outputs; tests/unit/infra holds that they are settings."""
    template = (ROOT / "infra" / "orchard.yaml").read_text()
    for name in OF_STACK:
        assert f"    Description: {name}\n" in template
