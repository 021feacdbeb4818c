"""New is what no other published run has, by path and ETag."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from orchard.images import difference, write_manifest
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
    rows = [{"path": path, "etag": etag} for run in runs for path, etag in run.items()]
    return pa.Table.from_pylist(rows, schema=pa.schema([("path", pa.string()), ("etag", pa.string())]))


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


def test_the_manifest_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    lake = Lake(f"file://{tmp_path}/a lake")
    write_manifest(FileStorage(), lake.run("r").manifest, listing_of({"é/1.jpg": "1"}))
    read = pq.read_table(io.BytesIO((tmp_path / "a lake" / "runs" / "r" / "manifest.parquet").read_bytes()))
    assert tuple(read.column_names) == MANIFEST_COLUMNS
    assert read.to_pylist() == [{"path": "é/1.jpg", "label": "", "etag": "1", "size": 1, "modified": None}]
