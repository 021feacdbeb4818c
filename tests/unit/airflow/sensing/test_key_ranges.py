"""Every object is listed once, however its bucket is cut into ranges of keys."""

import threading
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import wait
from itertools import product
from random import Random
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard.sensing import listing_s3
from orchard.sensing.key_ranges import Page
from orchard.sensing.listing_s3 import WORKERS, list_pages


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
