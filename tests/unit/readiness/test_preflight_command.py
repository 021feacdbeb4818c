"""``orchard preflight``: what it prints, and how it ends."""

import json
import os
import subprocess
import sys

import pytest

from deployment.plan import STAMP
from orchard_cli.app import main
from tests.support.checkout import ROOT
from tests.unit.infra.stack import LAKE
from tests.unit.readiness.sound_account import SoundAccount


@pytest.fixture
def environ(sound: SoundAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sound.environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environ")
def test_a_sound_account_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight", "--airflow-role", "airflow"]) == 0
    *rows, empty, answer = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["check", "found"]
    assert {row.split()[0] for row in rows[1:]} == {"pass"}
    assert (empty, answer) == ("", "42 passed, 0 failed, 0 skipped: a nightly run can start.")


@pytest.mark.usefixtures("environ")
def test_a_fault_ends_with_2_and_a_remedy_on_a_line_of_its_own(
    sound: SoundAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    sound.quota = 5
    sound.refuse("GetBucketVersioning")
    assert main(["preflight", "--airflow-role", "airflow"]) == 2
    rows = capsys.readouterr().out.splitlines()
    at = next(n for n, row in enumerate(rows) if row.startswith("fail "))
    assert "on-demand quota" in rows[at]
    assert rows[at + 1].strip().startswith("→ aws service-quotas request-service-quota-increase")
    assert rows[-1] == "40 passed, 1 failed, 1 skipped: fix the failed checks before the first nightly run."


@pytest.mark.usefixtures("environ")
def test_what_is_only_skipped_ends_with_0(sound: SoundAccount, capsys: pytest.CaptureFixture[str]) -> None:
    sound.refuse("GetBucketVersioning")
    assert main(["preflight", "--airflow-role", "airflow"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("can start, as far as these checks can tell.")


@pytest.mark.usefixtures("environ")
def test_json_has_every_finding_and_nothing_else(
    sound: SoundAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    sound.quota = 5
    assert main(["preflight", "--airflow-role", "airflow", "--new-images", "100000", "--json"]) == 2
    printed = json.loads(capsys.readouterr().out)
    assert printed["counts"] == {"pass": 41, "fail": 1, "skipped": 0}
    assert len(printed["findings"]) == 42
    (failed,) = [finding for finding in printed["findings"] if finding["outcome"] == "fail"]
    assert failed == {
        "check": "on-demand quota",
        "outcome": "fail",
        "found": "5 vCPUs (L-1216C47A); 1 primary, 2 core and 0 task nodes need 12",
        "remedy": "aws service-quotas request-service-quota-increase --region eu-west-3 "
        "--service-code ec2 --quota-code L-1216C47A --desired-value 68; approval may take days",
    }


@pytest.mark.usefixtures("environ")
def test_a_setting_that_is_missing_is_refused_as_everywhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ORCHARD_MODEL")
    assert main(["preflight"]) == 2
    assert capsys.readouterr().err.startswith("orchard: ORCHARD_MODEL is not set")


@pytest.mark.usefixtures("environ")
def test_model_and_code_are_those_that_were_deployed(
    sound: SoundAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow has them from deployed.json, which lies beside its DAGs."""
    variables = {name: sound.environ[name] for name in ("ORCHARD_MODEL", "ORCHARD_CODE")}
    stamp = json.dumps({"revision": "0847ef6bd432", "environment": variables, "files": []})
    sound.client("s3").put_object(Bucket=LAKE, Key=STAMP, Body=stamp.encode())
    for name in variables:
        monkeypatch.delenv(name)
    assert main(["preflight", "--airflow-role", "airflow", "--json"]) == 0
    found = {one["check"]: one["found"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["model"].startswith(variables["ORCHARD_MODEL"])
    assert found["code"].startswith(variables["ORCHARD_CODE"])


def test_the_command_finds_all_that_it_imports() -> None:
    """In a process of its own, with the paths that the command itself makes."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "ORCHARD_REGION": "eu-west-3",
        "ORCHARD_LAKE": "s3://lake",
        "ORCHARD_MODEL": "s3://lake/models/m",
    }
    command = [sys.executable, "-m", "orchard_cli", "preflight", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    found = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["credentials"]["found"] == "boto3 finds none"
