"""The Airflow of a laptop sees the local EMR and its settings, and nothing of an AWS account."""

from pathlib import Path

import pytest

from local_airflow.airflow_env import AirflowEnv
from local_emr.authentication import AccessKey, Endpoint

EMR = Endpoint("http://127.0.0.1:1", AccessKey("LOCALKEY", "secret"))


def test_no_credential_or_endpoint_of_the_callers_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_ENDPOINT_URL", "AIRFLOW_CONN_AWS"):
        monkeypatch.setenv(name, "the caller's")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_EMR"):
        monkeypatch.setenv(name, "the caller's")
    home = Path("/nowhere")
    variables = AirflowEnv(home, home, home, "file:///m", EMR, {}).variables()
    assert {name: value for name, value in variables.items() if name.startswith("AWS_")} == {
        "AWS_ENDPOINT_URL_EMR": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "LOCALKEY",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert "the caller's" not in variables.values()


def test_a_setting_of_the_callers_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHARD_DRIVER_MEMORY", "3g")
    home = Path("/nowhere")
    variables = AirflowEnv(home, home, home, "file:///m", EMR, {}).variables()
    assert variables["ORCHARD_DRIVER_MEMORY"] == "3g"
