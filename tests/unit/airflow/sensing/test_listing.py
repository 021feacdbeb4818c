"""Every image is listed once, whatever its name; what cannot be listed is an error, not a gap."""

import gc
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from orchard.sensing import listing
from orchard.sensing.listing import MANIFEST_SCHEMA, list_images
from orchard.settings.aws import Access
from orchard_jobs.errors import OrchardError

NAMES = [
    "root.jpg",
    "a b/with space.jpg",
    "a/b/c/nested.png",
    "a/apple#1.jpg",
    "a/100%25.jpg",
    "a/50%.jpg",
    "a/plus+&=.jpg",
    "a/'single' \"double\".jpg",
    "a/comma,semi;.jpg",
    "a/=1+1.jpg",
    "a/line\nbreak.jpg",
    "a/tab\t.jpg",
    "é/日本語 🍎.jpg",
    "e\u0301/decomposed.jpg",
    "a/back\\slash.jpg",
    "a/no_extension",
]
HIDDEN = [".DS_Store", "a/.hidden.jpg", "a/..two dots.jpg", ".git/objects/1.jpg", "a/.thumbs/1.jpg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in [*NAMES, *HIDDEN]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"bytes")
    (tmp_path / "empty").mkdir()
    return tmp_path


def paths(uri: str) -> list[str]:
    return sorted(list_images(uri, Access())["path"].to_pylist())


def test_any_name_is_listed_and_hidden_ones_are_not(folder: Path) -> None:
    assert paths(f"file://{folder}") == sorted(NAMES)


def test_a_row_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "fruit" / "apple" / "1.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"12345")
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    table = list_images(f"file://{tmp_path}", Access())
    assert table.schema == MANIFEST_SCHEMA
    (row,) = table.to_pylist()
    assert {**row, "modified": row["modified"].isoformat(timespec="milliseconds")} == {
        "path": "fruit/apple/1.jpg",
        "label": "apple",
        "etag": f"{1_700_000_000_123_456_789:x}-5",
        "size": 5,
        "modified": "2023-11-14T22:13:20.123+00:00",
    }


def test_an_overwritten_file_has_another_etag(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"old")
    os.utime(path, ns=(0, 1))
    before = list_images(f"file://{tmp_path}", Access())["etag"].to_pylist()
    path.write_bytes(b"new")
    os.utime(path, ns=(0, 2))
    assert list_images(f"file://{tmp_path}", Access())["etag"].to_pylist() != before


def test_links_to_files_are_listed_links_to_folders_are_not_and_loops_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"bytes")
    root = tmp_path / "images"
    root.mkdir()
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to(root / "self")
    (root / "file.jpg").symlink_to(outside)
    (root / "broken.jpg").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe")
    with caplog.at_level(logging.WARNING):
        assert paths(f"file://{root}") == ["broken.jpg", "file.jpg", "self"]
    assert caplog.messages == [f"not following the link {root}/loop"]


def test_a_name_that_is_not_utf8_is_escaped_and_meets_no_other(tmp_path: Path) -> None:
    for name in (b"\xff.jpg", rb"\xff.jpg"):
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"bytes")
    assert sorted(paths(f"file://{tmp_path}")) == [r"\x5cxff.jpg", r"\xff.jpg"]


def test_the_name_of_a_link_forges_no_line_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a\nb\x1b[2J").symlink_to(tmp_path / "real")
    with caplog.at_level(logging.WARNING):
        assert paths(f"file://{tmp_path}") == []
    assert caplog.messages == [rf"not following the link {tmp_path}/a\nb\x1b[2J"]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    with pytest.raises(OrchardError, match=r"cannot list .*/locked: Permission denied: every folder"):
        list_images(f"file://{tmp_path}", Access())


def test_no_such_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OrchardError, match=r"no folder .*/nothing"):
        list_images(f"file://{tmp_path}/nothing", Access())


def test_garbage_is_collected_again_after_a_listing_even_one_that_failed(folder: Path) -> None:
    paths(f"file://{folder}")
    assert gc.isenabled()
    with pytest.raises(OrchardError):
        paths(f"file://{folder}/nothing")
    assert gc.isenabled()


def test_a_listing_longer_than_a_batch_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "BATCH", 2)
    assert paths(f"file://{folder}") == sorted(NAMES)


def test_keys_that_no_server_here_stores_are_listed_from_pages() -> None:
    def item(key: str) -> dict[str, Any]:
        return {"Key": f"in/{key}", "ETag": '"e"', "Size": 1, "LastModified": None}

    keys = ["a/line\nbreak.jpg", "../up.jpg", "a/../b.jpg", "./c.jpg", "/d.jpg"]
    pages = [[item(key) for key in keys[:2]], [], [item(key) for key in keys[2:]]]
    assert [(image.path, image.label, image.etag) for image in listing.list_objects(pages, "in/")] == [
        ("a/line\nbreak.jpg", "a", "e"),
        ("../up.jpg", "..", "e"),
        ("a/../b.jpg", "..", "e"),
        ("./c.jpg", ".", "e"),
        ("/d.jpg", "", "e"),
    ]
