"""Every object is listed once, however its bucket is cut; a request that fails ends the listing."""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from itertools import product
from random import Random
from statistics import median
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from orchard import listing_s3
from orchard.key_ranges import Page
from orchard.listing import list_images
from orchard.listing_s3 import WORKERS, list_pages, open_client
from orchard.settings import Access
from orchard_jobs.errors import OrchardError


class Bucket:
    """ListObjectsV2 as S3 documents it: keys and folders together, in the order of their UTF-8 bytes."""

    def __init__(self, keys: list[str], page_size: int = 1000) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.page_size = page_size
        self.requests: list[dict[str, str]] = []

    def list_objects_v2(self, **request: str) -> Page:
        self.requests.append(request)
        entries = self._entries(request["Prefix"], request.get("Delimiter"))
        start = request.get("ContinuationToken", request.get("StartAfter", ""))
        first = bisect_right(list(entries), start.encode(), key=str.encode)
        chosen = list(entries)[first : first + self.page_size]
        is_truncated = first + self.page_size < len(entries)
        return {
            "Contents": [{"Key": entry} for entry in chosen if not entries[entry]],
            "CommonPrefixes": [{"Prefix": entry} for entry in chosen if entries[entry]],
            **({"NextContinuationToken": chosen[-1]} if is_truncated else {}),
        }

    def _entries(self, prefix: str, delimiter: str | None) -> dict[str, bool]:
        """Return keys and folders, and which of the two they are."""
        below = [key.removeprefix(prefix) for key in self.keys if key.startswith(prefix)]
        if not delimiter:
            return {prefix + rest: False for rest in below}
        parts = [rest.partition(delimiter) for rest in below]
        return {prefix + head + found: bool(found) for head, found, _ in parts}


def first(_: int) -> int:
    return 0


def keys_of(
    bucket: Bucket, prefix: str = "", pick: Callable[[int], int] = first, name: str = "b"
) -> list[str]:
    """List a bucket whose answers arrive in the order that ``pick`` says, of that many under way."""

    def wait_for_one(pending: dict[Any, Any], return_when: str) -> Any:
        return wait([list(pending)[pick(len(pending))]])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing_s3, "wait", wait_for_one)
        return [item["Key"] for page in list_pages(bucket, name, prefix) for item in page]


# '\uffff' is before '😀' for S3 and Python, and after it where strings are UTF-16.
LABELS = ["", *("".join(label) for label in product("aé\uffff😀", repeat=2)), "a/a", "😀/😀"]
KEYS = [label + rest for label in LABELS for rest in ("", "/", "/0", "/1", "/2/3") if label + rest]


@given(
    st.randoms(use_true_random=True), st.sampled_from(["", "a/", "😀/"]), st.integers(1, 3), st.integers(1, 5)
)
def test_every_key_is_listed_once_whatever_answer_comes_first(
    random: Random, prefix: str, page_size: int, workers: int
) -> None:
    keys = random.sample(KEYS, random.randint(0, len(KEYS)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing_s3, "WORKERS", workers)
        listed = keys_of(Bucket(keys, page_size), prefix, pick=random.randrange)
    assert sorted(listed) == sorted(key for key in keys if key.startswith(prefix))


@given(st.integers(0, 30), st.integers(0, 12), st.integers(1, 9), st.integers(0, 40))
def test_folders_with_markers_and_keys_at_the_root_are_listed_once(
    folders: int, images: int, page_size: int, root_keys: int
) -> None:
    markers = [f"{folder:02d}/" for folder in range(folders)]
    keys = [*markers, *(f"{marker}{image}" for marker in markers for image in range(images))]
    keys += [f"{number:02d}" for number in range(root_keys)]
    assert sorted(keys_of(Bucket(keys, page_size))) == sorted(keys)


def test_small_folders_do_not_make_small_pages() -> None:
    keys = [f"{folder:04d}/{image}" for folder in range(1000) for image in range(10)]
    bucket = Bucket(keys, page_size=100)
    assert len(keys_of(bucket)) == 10_000
    flat = [request for request in bucket.requests if "Delimiter" not in request]
    assert 100 <= len(flat) <= 120


@pytest.mark.parametrize("above", ["", "one/", "a/b/c/", "train/"])
def test_ranges_are_listed_side_by_side_however_deep_the_labels_are(above: str) -> None:
    keys = [f"{above}{label:02d}/{image:03d}" for label in range(20) for image in range(100)]
    keys += [f"train2/{image}" for image in range(10)] if above == "train/" else []
    under_way: list[int] = []

    def oldest(count: int) -> int:
        under_way.append(count)
        return 0

    assert len(keys_of(Bucket(keys, page_size=10), pick=oldest)) == len(keys)
    assert median(under_way) == WORKERS


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_what_fits_a_page_takes_that_page_and_one_look_for_folders(count: int) -> None:
    bucket = Bucket([f"{key}/{key}" for key in range(count)])
    assert len(keys_of(bucket)) == count
    assert len(bucket.requests) == 2


def test_a_folder_of_a_million_files_is_not_listed_a_second_time_for_its_folders() -> None:
    bucket = Bucket([f"flat/{image:03d}" for image in range(1000)], page_size=10)
    assert len(keys_of(bucket)) == 1000
    assert len(bucket.requests) <= 100 + 2 + 1


def test_a_directory_bucket_which_knows_no_order_is_listed_page_after_page() -> None:
    bucket = Bucket([f"{label}/{image}" for label in range(9) for image in range(9)], page_size=2)
    assert len(keys_of(bucket, name="orchard--use1-az4--x-s3")) == 81
    assert all({"Delimiter", "StartAfter"}.isdisjoint(request) for request in bucket.requests)


def test_pages_wait_for_whoever_reads_them() -> None:
    bucket = Bucket([f"{label:02d}/{image:02d}" for label in range(50) for image in range(20)], page_size=10)
    pages = list_pages(bucket, "b", "")
    for read in range(1, 51):
        next(pages)
        assert len(bucket.requests) <= read + WORKERS + 1
    pages.close()
    assert threads() == []


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("list-objects")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
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
        (refusal(403, "AccessDenied"), "cannot list s3://orchard/many: AccessDenied.*allow Airflow's role"),
        (reset, "cannot list s3://orchard/many: Connection was closed"),
    ],
)
def test_a_request_that_fails_on_the_way_ends_the_listing_and_its_threads(
    s3: Any, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], AWSResponse], message: str
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    monkeypatch.setattr(listing_s3, "PATIENT", Config(retries={"total_max_attempts": 1}))
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
