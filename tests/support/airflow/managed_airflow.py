"""Managed Airflow, which moto does not know: an environment that is updated as AWS documents it.

botocore checks the requests against its service model, and the answers are checked against it too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.validate import validate_parameters

from tests.support.airflow.deployments import BUCKET, REGION

NAME = "my-airflow"


@dataclass
class ManagedAirflow:
    """The environment.

    Args:
        next_states: What it is at each question after an update; one that ends with UPDATING never ends.
        error: Why updates fail; '' where they do not.
        refusal: What AWS answers to an update instead; '' where it takes it.
        updates: The updates that it took.
        on_update: Called when an update begins.
    """

    state: dict[str, Any]
    next_states: list[str] = field(default_factory=lambda: ["UPDATING", "UPDATING", "AVAILABLE"])
    error: str = ""
    refusal: str = ""
    updates: list[dict[str, Any]] = field(default_factory=list)
    on_update: Callable[[], None] = lambda: None
    _waiting: list[str] = field(default_factory=list)
    _wanted: dict[str, Any] = field(default_factory=dict)
    _params: dict[str, Any] = field(default_factory=dict)

    def record(self, params: dict[str, Any], **_: object) -> None:
        self._params = dict(params)

    def answer(self, model: Any, **_: object) -> tuple[Any, dict[str, Any]]:
        """Answer a call, as a handler of botocore's event before it is sent."""
        if self._params["Name"] != self.state["Name"]:
            return _refuse("ResourceNotFoundException", "No environment of this name", 404)
        if model.name == "UpdateEnvironment":
            if self.refusal:
                return _refuse("ValidationException", self.refusal, 400)
            return self._update(model)
        assert model.name == "GetEnvironment", model.name
        self._go_on()
        found = {"Environment": self.state}
        validate_parameters(found, model.output_shape)
        return SimpleNamespace(status_code=200), {**found, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def _update(self, model: Any) -> tuple[Any, dict[str, Any]]:
        self.updates.append(self._params)
        self.on_update()
        self._waiting = list(self.next_states)
        members = {name for name in self._params if "S3" in name}
        self._wanted = {name: self._params[name] for name in members}
        before = self.state.get("LastUpdate", {}).get("CreatedAt", datetime(2026, 11, 1, tzinfo=UTC))
        self._change(LastUpdate={"Status": "PENDING", "CreatedAt": before + timedelta(hours=1)})
        answer = {"Arn": f"arn:aws:airflow:{REGION}:123456789012:environment/{NAME}"}
        validate_parameters(answer, model.output_shape)
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def _go_on(self) -> None:
        if not self._waiting:
            return
        status = self._waiting.pop(0)
        if status == "UPDATING" and not self._waiting:
            self._waiting = [status]  # for ever
        last = dict(self.state["LastUpdate"])
        if status == "AVAILABLE" and not self.error:
            self._change(**self._wanted, LastUpdate={**last, "Status": "SUCCESS"})
        elif status in ("AVAILABLE", "UPDATE_FAILED", "UNAVAILABLE"):
            error = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": self.error}
            self._change(LastUpdate={**last, "Status": "FAILED", "Error": error})
        self._change(Status=status)

    def _change(self, **changes: Any) -> None:
        self.state = {**self.state, **changes}


def _refuse(code: str, message: str, status: int) -> tuple[Any, dict[str, Any]]:
    error = {"Code": code, "Message": message}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    return SimpleNamespace(status_code=status), {"Error": error, "ResponseMetadata": metadata}


@pytest.fixture
def managed(s3: Any, monkeypatch: pytest.MonkeyPatch) -> ManagedAirflow:
    """An environment on the bucket, as it is made: with nothing pinned. All clients of boto3 find it."""
    environment = ManagedAirflow(
        {
            "Name": NAME,
            "Status": "AVAILABLE",
            "AirflowVersion": "3.3.1",
            "SourceBucketArn": f"arn:aws:s3:::{BUCKET}",
            "DagS3Path": "dags",
            "WebserverUrl": "https://0a1b2c3d.c1.eu-west-3.airflow.amazonaws.com",
        }
    )
    session = boto3.session.Session(region_name=REGION)
    session.events.register("before-parameter-build.mwaa", environment.record)
    session.events.register("before-call.mwaa", environment.answer)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    monkeypatch.setattr("deployment.environment.POLL_SECONDS", 0)
    return environment
