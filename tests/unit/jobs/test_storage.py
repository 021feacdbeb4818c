"""Bytes at URIs, on disk; names that URLs would mangle stay what they are."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.contenders import slow_store
from orchard_jobs.errors import OrchardError
from orchard_jobs.storage import (
    HEAD,
    create_file,
    delete_folder,
    list_folder,
    open_folder,
    open_writer,
    read_bytes,
    refusing,
    write_bytes,
)
from tests.support.small_disk import small_disk

NAMES = ["plain", "sp ace", "ha#sh", "per%20cent", "pl+us", 'quo"te', "ünï苹果", "new\nline", "=x"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_under_a_name_is_read_under_it(name: str, tmp_path: Path) -> None:
    write_bytes(f"file://{tmp_path}/a b/{name}", name.encode())
    assert read_bytes(f"file://{tmp_path}/a b/{name}") == name.encode()
    assert [path.name for path in (tmp_path / "a b").iterdir()] == [name]


@pytest.mark.parametrize("place", ["disk", "S3"])
def test_a_large_file_is_read_only_where_its_beginning_is_wanted(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    large = b"junk" + os.urandom(3 * HEAD)
    (tmp_path / "large").write_bytes(large)
    (tmp_path / "small").write_bytes(b"junk")
    with slow_store.serve(tmp_path, delay=0) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        read = open_folder(f"file://{tmp_path}" if place == "disk" else f"s3://{slow_store.BUCKET}")
        assert read("large", None, lambda head: head.startswith(b"junk")) == large
        unwanted = read("large", None, lambda head: not head.startswith(b"junk"))
        assert large.startswith(unwanted)
        assert 4 <= len(unwanted) < len(large) // 2
        assert read("small", None, lambda head: False) == b"junk"


def test_a_streamed_object_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/out/rows.csv"
    with suppress(RuntimeError), open_writer(uri) as sink:
        sink.write(b"x" * 20_000_000)
        raise RuntimeError("half way")
    assert list((tmp_path / "out").iterdir()) == []
    with open_writer(uri) as sink:
        sink.write(b"one")
        sink.write(b"two")
    assert read_bytes(uri) == b"onetwo"


def test_a_listing_has_every_file_and_broken_link_and_follows_no_link_to_a_folder(tmp_path: Path) -> None:
    for name in NAMES:
        write_bytes(f"file://{tmp_path}/root/a/{name}", name.encode())
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "broken").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "root" / "pipe")
    sizes = {item.path: item.size for item in list_folder(f"file://{tmp_path}/root")}
    assert sizes.pop("broken") > 0
    assert sizes == {f"a/{name}": len(name.encode()) for name in NAMES}


def test_an_overwritten_file_has_another_etag(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    (before,) = list_folder(f"file://{tmp_path}")
    path.write_bytes(b"2")
    os.utime(path, ns=(0, 1))
    (after,) = list_folder(f"file://{tmp_path}")
    assert before.etag != after.etag


@pytest.mark.parametrize("uri", ["/plain/path", "hdfs://x/y", "file:/x"])
def test_a_uri_of_another_kind_is_one_clear_error(uri: str) -> None:
    with pytest.raises(OrchardError, match=r"it must be s3://bucket/key or file:///path"):
        open_folder(uri)


def test_of_several_that_make_the_same_file_the_first_ones_bytes_stay(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/features/part.parquet"
    assert create_file(uri, b"first")
    assert not create_file(uri, b"second")
    assert read_bytes(uri) == b"first"
    assert [path.name for path in (tmp_path / "features").iterdir()] == ["part.parquet"]


def test_a_folder_that_is_deleted_is_gone_and_so_is_none(tmp_path: Path) -> None:
    write_bytes(f"file://{tmp_path}/a/b/c", b"1")
    delete_folder(f"file://{tmp_path}/a")
    delete_folder(f"file://{tmp_path}/a")
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_says_nothing_is_told_by_its_name() -> None:
    with (
        pytest.raises(OrchardError, match=r"cannot write s3://bucket/key \(OSError\): rule\. Remedy\."),
        refusing("s3://bucket/key", rule="rule", remedy="remedy"),
    ):
        raise OSError


def test_a_folder_that_is_a_link_is_not_followed_to_be_deleted(tmp_path: Path) -> None:
    write_bytes(f"file://{tmp_path}/others/c", b"1")
    (tmp_path / "features").symlink_to(tmp_path / "others")
    with pytest.raises(OSError, match="symbolic link"):
        delete_folder(f"file://{tmp_path}/features")
    assert read_bytes(f"file://{tmp_path}/others/c") == b"1"


def test_a_full_disk_is_told_with_its_place_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=16) as disk:
        with pytest.raises(OSError, match=rf"No space left on device: '{disk}/a/b'"):
            write_bytes(f"file://{disk}/a/b", bytes(2**20))
        with pytest.raises(OSError, match=rf"No space left on device: '{disk}/a/b'"):
            create_file(f"file://{disk}/a/b", bytes(2**20))
        assert list((disk / "a").iterdir()) == []
