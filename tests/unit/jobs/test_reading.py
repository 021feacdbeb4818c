"""Files are read ahead, in order and within a budget, whatever they turn out to be."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchard_jobs.contract import Status
from orchard_jobs.images.decode import MAX_ENCODED_BYTES, Rejected
from orchard_jobs.images.reading import GROWTH, open_images, read_groups
from orchard_jobs.storage import FileTooLargeError

MEBIBYTE = 2**20


class Store:
    """Files of as many bytes as they say; it notes which were asked for."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.asked: list[str] = []

    def read(self, path: str, max_bytes: int, wanted: object = None) -> bytes:
        self.asked.append(path)
        size = self.sizes[path]
        if size > max_bytes:
            raise FileTooLargeError(f"{size} bytes; the limit is {max_bytes}")
        return path.encode()


def groups_of(sizes: list[int]) -> list[int]:
    files = {f"{place:03d}": size for place, size in enumerate(sizes)}
    found = list(read_groups(files.items(), Store(**files).read, 4))
    paths = [image.data for group in found for image in group]
    assert paths == [path.encode() for path in files]
    return [len(group) for group in found]


def test_small_files_come_in_groups_the_first_of_which_is_soon_there() -> None:
    assert groups_of([5_000] * 150) == [16, 64, 64, 6]


def test_large_files_come_in_groups_of_as_many_bytes_as_may_be_held() -> None:
    assert groups_of([30 * MEBIBYTE] * 5) == [2, 2, 1]
    assert groups_of([64 * MEBIBYTE] * 3 + [5_000]) == [1, 1, 1, 1]


def test_no_more_than_one_group_is_read_ahead_of_the_one_that_is_at_work() -> None:
    store = Store(**{f"{place:03d}": 63 * MEBIBYTE for place in range(10)})
    groups: Iterator[object] = read_groups(store.sizes.items(), store.read, 4)
    for done in range(1, 5):
        next(groups)
        assert len(store.asked) <= done + 1


def test_a_file_that_has_grown_since_it_was_listed_is_left_for_the_next_night() -> None:
    store = Store(grown=GROWTH + 1)
    ((image,),) = read_groups([("grown", 5_000)], store.read, 1)
    assert isinstance(image.data, Rejected)
    assert image.data.status is Status.UNREADABLE
    assert image.data.error.startswith("it has grown since it was listed: 1048577 bytes")


def test_a_file_that_is_larger_than_any_image_is_too_large() -> None:
    size = MAX_ENCODED_BYTES + 1
    ((image,),) = read_groups([("huge", size)], Store(huge=size).read, 1)
    assert isinstance(image.data, Rejected)
    assert image.data.status is Status.TOO_LARGE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FileNotFoundError(2, "No such file"), Status.MISSING),
        (PermissionError(13, "Permission denied"), Status.UNREADABLE),
        (ValueError("embedded null byte"), Status.UNREADABLE),
        (MemoryError(), Status.UNREADABLE),
    ],
)
def test_a_file_that_cannot_be_read_is_an_outcome_among_the_others(error: Exception, status: Status) -> None:
    def read(path: str, *_: object) -> bytes:
        if path == "bad":
            raise error
        return b"good"

    ((first, bad, last),) = read_groups([("a", 1), ("bad", 1), ("z", 1)], read, 2)
    assert (first.data, last.data) == (b"good", b"good")
    assert isinstance(bad.data, Rejected)
    assert bad.data.status is status


class _Refusing(BaseHTTPRequestHandler):
    """S3, asked by somebody who may not list the bucket: a missing key and a forbidden one are the same."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_an_image_of_a_bucket_that_may_not_be_listed_is_missing_or_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        ((image,),) = read_groups([("apple/1.jpg", 5_000)], open_images("s3://theirs/fruit"), 1)
        server.shutdown()
    why = "S3 answers 403 to both where the bucket may not be listed"
    assert image.data == Rejected(Status.UNREADABLE, f"'fruit/apple/1.jpg' is missing or forbidden: {why}")


def test_who_stops_reading_leaves_no_thread_behind() -> None:
    groups = read_groups([(f"{place}", 1) for place in range(200)], lambda *_: b"", 4)
    next(groups)
    groups.close()  # type: ignore[attr-defined]
    left = [thread for thread in threading.enumerate() if thread.name.startswith("read")]
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)
