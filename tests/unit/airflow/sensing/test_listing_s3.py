"""Which objects of a real S3 API are images, and what becomes of requests that it refuses."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from moto.server import ThreadedMotoServer

from orchard.sensing import listing_s3
from orchard.sensing.listing import list_images
from orchard.sensing.listing_s3 import WORKERS, open_client
from orchard.settings.aws import Access
from orchard_jobs.errors import OrchardError


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("list-objects")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    client = boto3.client("s3")
    client.create_bucket(Bucket="orchard")
    return client


def put(s3: Any, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket="orchard", Key=key, Body=b"bytes")


def paths(uri: str) -> list[str]:
    return sorted(list_images(uri, Access())["path"].to_pylist())


NAMES = [
    "root.jpg",
    "a b/with space.jpg",
    "a//double.jpg",
    "a/b/c/nested.png",
    "a/100%25.jpg",
    "a/plus+&=.jpg",
    "a/'single' \"double\".jpg",
    "a/back\\slash.jpg",
    "é/日本語 🍎.jpg",
    "e\u0301/decomposed.jpg",
    "\uffff/before.jpg",
    "😀/after.jpg",
]


@pytest.mark.parametrize("page_size", ["1", "2", "1000"])
def test_any_key_is_listed_but_folder_markers_and_hidden_ones_are_not(
    s3: Any, monkeypatch: pytest.MonkeyPatch, page_size: str
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", page_size)
    put(s3, *(f"in/{name}" for name in NAMES), "in/", "in/a/", "in/empty/", "inside/no.jpg")
    put(s3, "in/.DS_Store", "in/a/.hidden.jpg", "in/.git/objects/1.jpg")
    assert paths("s3://orchard/in") == sorted(NAMES)
    assert paths("s3://orchard") == sorted([f"in/{name}" for name in NAMES] + ["inside/no.jpg"])
    assert paths("s3://orchard/nothing") == []


def test_a_page_is_what_boto3_would_make_of_it(s3: Any) -> None:
    put(s3, *(f"page/{name}" for name in NAMES))
    expected = s3.list_objects_v2(Bucket="orchard", Prefix="page/")["Contents"]
    page = open_client(Access()).list_objects_v2(Bucket="orchard", Prefix="page/")
    assert len(expected) == len(NAMES)
    assert page["Contents"] == [{name: item[name] for name in page["Contents"][0]} for item in expected]


def test_a_row_has_the_columns_of_the_contract(s3: Any) -> None:
    put(s3, "row/apple/1.jpg")
    head = s3.head_object(Bucket="orchard", Key="row/apple/1.jpg")
    assert list_images("s3://orchard/row", Access()).to_pylist() == [
        {
            "path": "apple/1.jpg",
            "label": "apple",
            "etag": head["ETag"].strip('"'),
            "size": 5,
            "modified": head["LastModified"],
        }
    ]


def test_the_settings_of_an_airflow_connection_stay(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = '{"config_kwargs": {"connect_timeout": 7}, "region_name": "eu-west-3"}'
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", f'{{"conn_type": "aws", "extra": {extra}}}')
    client = open_client(Access(aws_conn_id="lake"))
    config = client.meta.config
    assert (client.meta.region_name, config.connect_timeout) == ("eu-west-3", 7)
    assert (config.max_pool_connections, config.retries["mode"]) == (WORKERS + 1, "adaptive")


class Answers:
    """Sends a client's first ``passed`` requests on to S3; the next, ``failing`` ones, get ``answer``."""

    def __init__(self, answer: Callable[[str], AWSResponse], passed: int, failing: int) -> None:
        self.answer = answer
        self.passed = passed
        self.failing = failing
        self.count = 0

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        self.count += 1
        is_failing = self.passed < self.count <= self.passed + self.failing
        return self.answer(request.url) if is_failing else None


class Body(NamedTuple):
    text: str

    def stream(self) -> Iterator[bytes]:
        yield self.text.encode()


def refusal(status: int, code: str) -> Callable[[str], AWSResponse]:
    body = Body(f"<Error><Code>{code}</Code><Message>no</Message></Error>")
    return lambda url: AWSResponse(url, status, {}, body)


def cut_off(url: str) -> AWSResponse:
    return AWSResponse(url, 200, {}, Body("<ListBucketResult><Contents><Key>slow/1.jpg</Ke"))


def reset(url: str) -> AWSResponse:
    raise ConnectionClosedError(endpoint_url=url)


def insert(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> None:
    def open_and_register(access: Access) -> Any:
        client = open_client(access)
        client.meta.events.register("before-send.s3.ListObjectsV2", answers)
        return client

    monkeypatch.setattr(listing_s3, "open_client", open_and_register)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(403, "AccessDenied"), "cannot list s3://orchard/many: AccessDenied.*Allow Airflow's role"),
        (reset, "cannot list s3://orchard/many: Connection was closed"),
    ],
)
def test_a_request_that_fails_on_the_way_ends_the_listing_and_its_threads(
    s3: Any, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], AWSResponse], message: str
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    monkeypatch.setattr(listing_s3, "MANY_REQUESTS", Config(retries={"total_max_attempts": 1}))
    put(s3, *(f"many/{label}/{image}" for label in range(10) for image in range(5)))
    insert(monkeypatch, Answers(answer, passed=9, failing=1))
    with pytest.raises(OrchardError, match=message):
        paths("s3://orchard/many")
    assert threads() == []


@pytest.mark.parametrize("answer", [refusal(503, "SlowDown"), refusal(200, "InternalError"), cut_off])
def test_requests_that_s3_could_not_answer_are_repeated(
    s3: Any, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], AWSResponse]
) -> None:
    put(s3, "slow/1.jpg")
    answers = Answers(answer, passed=0, failing=1)
    insert(monkeypatch, answers)
    assert paths("s3://orchard/slow") == ["1.jpg"]
    assert answers.count == 3


def test_a_bucket_that_does_not_exist_is_an_error_with_a_remedy(s3: Any) -> None:
    with pytest.raises(OrchardError, match="cannot list s3://nothing/in: NoSuchBucket"):
        paths("s3://nothing/in")


def test_missing_credentials_are_an_error_with_a_remedy(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(OrchardError, match="ORCHARD_AWS_CONN_ID"):
        paths("s3://orchard/in")
