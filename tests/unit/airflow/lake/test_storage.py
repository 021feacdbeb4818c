"""Writes are seen whole or not at all, and only where nobody else has written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from orchard.lake.objects import ABSENT, Storage
from orchard.lake.storage_files import FileStorage
from orchard.lake.storage_s3 import S3Storage
from orchard_jobs.errors import OrchardError
from tests.support.small_disk import small_disk


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Storage, str]]:
    """A storage and the URI of a folder in it, with characters that URIs would quote."""
    if request.param == "file":
        yield FileStorage(Path("/")), f"file://{tmp_path}/100% é #1?"
        return
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="orchard")
        yield S3Storage(client), "s3://orchard/100% é #1?"


def test_what_is_written_is_read_and_listed(place: tuple[Storage, str]) -> None:
    storage, folder = place
    storage.write(f"{folder}/b", b"1")
    storage.write(f"{folder}/a", b"2")
    storage.write(f"{folder}/below/c", b"3")
    assert storage.read(f"{folder}/b").data == b"1"
    assert storage.names(folder) == ["a", "b"]


def test_what_is_not_there_is_not_found_and_its_folder_is_empty(place: tuple[Storage, str]) -> None:
    storage, folder = place
    assert storage.names(folder) == []
    with pytest.raises(FileNotFoundError):
        storage.read(f"{folder}/a")


def test_parts_of_an_object_are_read_without_the_rest(place: tuple[Storage, str]) -> None:
    storage, folder = place
    storage.write(f"{folder}/a", b"0123456789")
    with storage.open(f"{folder}/a") as file:
        assert (file.seek(-4, 2), file.read(2), file.tell()) == (6, b"67", 8)
        assert (file.seek(1), file.seek(2, 1), file.read(3)) == (1, 3, b"345")
        assert (file.read(100), file.read(1)) == (b"6789", b"")
    with pytest.raises(FileNotFoundError):
        storage.open(f"{folder}/b")


def test_an_object_that_is_replaced_while_it_is_read_is_an_error_and_no_mixture() -> None:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="orchard")
        storage = S3Storage(client)
        storage.write("s3://orchard/a", b"0123456789")
        with storage.open("s3://orchard/a") as file:
            assert file.read(2) == b"01"
            storage.write("s3://orchard/a", b"abcdefghij")
            with pytest.raises(ClientError, match="PreconditionFailed"):
                file.read(2)


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(place: tuple[Storage, str]) -> None:
    storage, folder = place
    storage.write(f"{folder}/a", b"1")
    storage.write(f"{folder}/b", b"1")
    for _ in range(2):
        storage.delete(f"{folder}/a")
        assert storage.names(folder) == ["b"]


def test_a_replacement_needs_the_version_that_was_read(place: tuple[Storage, str]) -> None:
    storage, folder = place
    uri = f"{folder}/latest.json"
    storage.replace(uri, b"1", ABSENT)
    with pytest.raises(OrchardError, match=r"latest\.json has changed since it was read"):
        storage.replace(uri, b"2", ABSENT)
    version = storage.read(uri).version
    storage.replace(uri, b"3", version)
    with pytest.raises(OrchardError, match="one run publishes at a time"):
        storage.replace(uri, b"4", version)
    assert storage.read(uri).data == b"3"


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict"])
def test_a_replacement_whose_answer_was_lost_is_a_success(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = ClientError({"Error": {"Code": code, "Message": "m"}}, "PutObject")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="orchard")
        storage, put = S3Storage(client), client.put_object

        def put_twice(**arguments: Any) -> None:
            put(**arguments)
            raise refused

        monkeypatch.setattr(client, "put_object", put_twice)
        storage.replace("s3://orchard/latest.json", b"ours", ABSENT)
        assert storage.read("s3://orchard/latest.json").data == b"ours"


def test_a_local_write_that_fails_leaves_the_old_bytes_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, uri = FileStorage(Path("/")), f"file://{tmp_path}/a"
    storage.write(uri, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchard.lake.storage_files.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        storage.write(uri, b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_folder_is_listed_whole_and_deleted_whole_and_nothing_beside_it(
    place: tuple[Storage, str],
) -> None:
    storage, folder = place
    for name in ("run/a", "run/below/.b.crc", "run/below/c", "run-2/a"):
        storage.write(f"{folder}/{name}", b"12")
    assert [(found.name, found.size) for found in storage.objects(f"{folder}/run")] == [
        ("a", 2),
        ("below/.b.crc", 2),
        ("below/c", 2),
    ]
    assert all(found.modified.tzinfo for found in storage.objects(folder))
    assert storage.folders(folder) == ["run", "run-2"]
    for _ in range(2):
        storage.delete_folder(f"{folder}/run")
        assert storage.folders(folder) == ["run-2"]
        assert storage.objects(f"{folder}/run") == storage.folders(f"{folder}/run") == []
    assert storage.read(f"{folder}/run-2/a").data == b"12"


def test_a_full_disk_is_told_with_its_place_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=16) as disk:
        with pytest.raises(OSError, match=rf"No space left on device: '{disk}/a/b'"):
            FileStorage(disk).write(f"file://{disk}/a/b", bytes(2**20))
        assert list((disk / "a").iterdir()) == []
