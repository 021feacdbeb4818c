"""New is what no other published run has, by path and ETag."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard.images import LEDGER_SCHEMA, difference, write_manifest
from orchard.lake import Lake
from orchard.listing import MANIFEST_SCHEMA
from orchard.storage import FileStorage
from orchard_jobs.contract import MANIFEST_COLUMNS

KEYS = st.dictionaries(st.text("ab/é\n", max_size=3), st.sampled_from(["1", "2"]))


def listing_of(images: dict[str, str]) -> pa.Table:
    rows = [
        {"path": path, "label": "", "etag": etag, "size": 1, "modified": None}
        for path, etag in images.items()
    ]
    return pa.Table.from_pylist(rows, schema=MANIFEST_SCHEMA)


def ledger_of(*runs: dict[str, str]) -> pa.Table:
    return ledger_with("ok", *runs)


def ledger_with(status: str, *runs: dict[str, str]) -> pa.Table:
    rows = [{"path": path, "etag": etag, "status": status} for run in runs for path, etag in run.items()]
    return pa.Table.from_pylist(rows, schema=LEDGER_SCHEMA)


@given(images=KEYS, runs=st.lists(KEYS, max_size=3))
def test_every_listed_image_is_either_new_or_known(
    images: dict[str, str], runs: list[dict[str, str]]
) -> None:
    found = difference(listing_of(images), ledger_of(*runs))
    known = {item for run in runs for item in run.items()}
    expected = sorted(
        (item for item in images.items() if item not in known), key=lambda item: item[0].encode()
    )
    assert list(zip(found.new["path"].to_pylist(), found.new["etag"].to_pylist(), strict=True)) == expected
    assert (found.listed, found.known) == (len(images), len(images) - len(expected))


@given(images=KEYS, unreadable=KEYS, ok=KEYS, status=st.sampled_from(["unreadable", "missing"]))
def test_what_could_not_be_read_is_tried_again_with_new_images_and_never_alone(
    images: dict[str, str], unreadable: dict[str, str], ok: dict[str, str], status: str
) -> None:
    ledger = pa.concat_tables([ledger_with(status, unreadable), ledger_with("ok", ok)])
    found = difference(listing_of(images), ledger)
    unseen = images.items() - unreadable.items() - ok.items()
    again = (images.items() & unreadable.items()) - ok.items() if unseen else set()
    computed = zip(found.new["path"].to_pylist(), found.new["etag"].to_pylist(), strict=True)
    assert set(computed) == unseen | again
    assert (found.retried, found.known) == (len(again), len(images) - len(unseen) - len(again))


@pytest.mark.parametrize("status", ["ok", "corrupt", "empty", "not_an_image", "too_large", None])
def test_an_image_that_says_itself_what_it_is_is_known_for_ever(status: Any) -> None:
    found = difference(listing_of({"a": "1", "b": "1"}), ledger_with(status, {"a": "1"}))
    assert (found.new["path"].to_pylist(), found.known, found.retried) == (["b"], 1, 0)


def test_the_manifest_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    lake = Lake(f"file://{tmp_path}/a lake")
    write_manifest(FileStorage(), lake.run("r").manifest, listing_of({"é/1.jpg": "1"}))
    read = pq.read_table(io.BytesIO((tmp_path / "a lake" / "runs" / "r" / "manifest.parquet").read_bytes()))
    assert tuple(read.column_names) == MANIFEST_COLUMNS
    assert read.to_pylist() == [{"path": "é/1.jpg", "label": "", "etag": "1", "size": 1, "modified": None}]
