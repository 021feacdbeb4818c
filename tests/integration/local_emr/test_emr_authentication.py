"""Without the key, nobody can start anything: the server only accepts requests signed with it."""

from __future__ import annotations

import json
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local_emr.authentication import CREDENTIALS, AccessKey, Endpoint
from local_emr.launcher import running_emr
from local_emr.server import EmrServer
from tests.support.local_emr_client import a_cluster, bash_step, make_client, node_python

TARGET = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "ElasticMapReduce.ListClusters"}


def post(url: str, headers: dict[str, str], body: bytes = b"{}", path: str = "/") -> tuple[int, str]:
    """Send a hand-made request; return its status and EMR's error code."""
    request = urllib.request.Request(url + path, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, str(json.load(error)["__type"])


def a_request_that_runs_a_program(folder: Path) -> dict[str, Any]:
    return a_cluster(Steps=[bash_step(f"touch {folder}/started")])


@pytest.mark.parametrize(
    ("key", "signature", "code"),
    [
        (None, UNSIGNED, "MissingAuthenticationTokenException"),
        (AccessKey("local", "local"), "v4", "UnrecognizedClientException"),
        ("another secret", "v4", "InvalidSignatureException"),
    ],
    ids=["no key", "another key", "another secret"],
)
def test_boto3_without_the_key_starts_nothing(
    server: EmrServer, emr: Any, tmp_path: Path, key: AccessKey | str | None, signature: Any, code: str
) -> None:
    if isinstance(key, str):
        key = AccessKey(server.endpoint.access_key.id, key)
    config = Config(signature_version=signature, retries={"total_max_attempts": 1})
    stranger = Endpoint(server.url, key or AccessKey("none", "none")).client_settings()
    before = emr.list_clusters()["Clusters"]
    with pytest.raises(ClientError) as refused:
        boto3.client("emr", **stranger, config=config).run_job_flow(**a_request_that_runs_a_program(tmp_path))
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert emr.list_clusters()["Clusters"] == before
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("path", ["/", "/_control/faults", "/_control/rate-limit"])
def test_a_program_that_only_finds_the_port_is_refused_everywhere(server: EmrServer, path: str) -> None:
    assert post(server.url, TARGET, path=path) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_faults_are_for_who_has_the_key(server: EmrServer, method: str) -> None:
    request = urllib.request.Request(f"{server.url}/_control/faults", method=method)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=30)


def test_a_signed_request_is_answered(server: EmrServer) -> None:
    headers = server.endpoint.access_key.sign("POST", f"{server.url}/", TARGET, b"{}")
    assert post(server.url, headers) == (200, "")


def add_other_action(headers: dict[str, str]) -> None:
    headers["X-Amz-Target"] = "ElasticMapReduce.RunJobFlow"


def leave_action_unsigned(headers: dict[str, str]) -> None:
    headers["Authorization"] = headers["Authorization"].replace(";x-amz-target", "")


def name_another_service(headers: dict[str, str]) -> None:
    headers["Authorization"] = headers["Authorization"].replace("/elasticmapreduce/", "/s3/")


def spoil_signature(headers: dict[str, str]) -> None:
    headers["Authorization"] = headers["Authorization"][:-64] + "0" * 64


def spoil_authorization(headers: dict[str, str]) -> None:
    headers["Authorization"] = "Bearer something"


def spoil_date(headers: dict[str, str]) -> None:
    headers["X-Amz-Date"] = "today"


def spoil_host(headers: dict[str, str]) -> None:
    headers["Host"] = "127.0.0.1:[1"


def claim_unsigned_body(headers: dict[str, str]) -> None:
    headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(
    "change",
    [
        add_other_action,
        leave_action_unsigned,
        name_another_service,
        spoil_signature,
        spoil_authorization,
        spoil_date,
        spoil_host,
        claim_unsigned_body,
    ],
)
def test_a_signature_is_of_one_request_alone(
    server: EmrServer, change: Callable[[dict[str, str]], None]
) -> None:
    headers = server.endpoint.access_key.sign("POST", f"{server.url}/", TARGET, b"{}")
    change(headers)
    assert post(server.url, headers) == (403, "InvalidSignatureException")


def test_a_changed_body_is_refused(server: EmrServer) -> None:
    headers = server.endpoint.access_key.sign("POST", f"{server.url}/", TARGET, b"{}")
    assert post(server.url, headers, b'{"ClusterStates": []}') == (403, "InvalidSignatureException")


@pytest.mark.parametrize("age", [timedelta(days=1), timedelta(minutes=6), -timedelta(minutes=6)])
def test_a_request_of_another_time_is_refused(
    server: EmrServer, monkeypatch: pytest.MonkeyPatch, age: timedelta
) -> None:
    then = datetime.now(UTC) - age
    with monkeypatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: then.replace(tzinfo=None))
        headers = server.endpoint.access_key.sign("POST", f"{server.url}/", TARGET, b"{}")
    assert post(server.url, headers) == (403, "InvalidSignatureException")


def test_the_key_is_another_at_each_start_and_for_this_user_alone(
    tmp_path: Path, aws_environment: None
) -> None:
    work, log = tmp_path / "work", tmp_path / "log"
    keys = []
    for _ in range(2):
        with running_emr(node_python(), work, log_file=log) as endpoint:
            keys.append(endpoint.access_key)
            assert stat.S_IMODE((work / CREDENTIALS).stat().st_mode) == 0o600
            assert make_client(endpoint).list_clusters()["Clusters"] == []
        assert not (work / CREDENTIALS).exists()
    assert keys[0] != keys[1]
    assert not [key for key in keys if key.secret in log.read_text() or key.secret in repr(key)]


def test_awss_clients_find_the_key_in_its_file(
    tmp_path: Path, aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with running_emr(node_python(), tmp_path / "work") as endpoint:
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "work" / CREDENTIALS))
        emr = boto3.Session().client("emr", endpoint_url=endpoint.url)
        assert emr.list_clusters()["Clusters"] == []
