"""What is new, changed, retried or deleted, against a model of the rules in plain Python."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard.lake.ledger import LEDGER_SCHEMA, next_ledger
from orchard.sensing.diff import Difference, difference
from orchard.sensing.listing import MANIFEST_SCHEMA

PATHS = st.text("ab/é\n", max_size=3)
ETAGS = st.sampled_from(["1", "2"])
LISTINGS = st.dictionaries(PATHS, ETAGS)
STATUSES = st.sampled_from(["ok", "corrupt", "unreadable", "missing"])
LEDGERS = st.dictionaries(PATHS, st.tuples(ETAGS, STATUSES))


def listing_of(images: dict[str, str]) -> pa.Table:
    rows = [
        {"path": path, "label": "", "etag": etag, "size": 1, "modified": None}
        for path, etag in images.items()
    ]
    return pa.Table.from_pylist(rows, schema=MANIFEST_SCHEMA)


def ledger_of(known: dict[str, tuple[str, str]]) -> pa.Table:
    rows = [
        {"path": path, "etag": etag, "status": status, "run": "r1"} for path, (etag, status) in known.items()
    ]
    return pa.Table.from_pylist(rows, schema=LEDGER_SCHEMA)


def new_of(found: Difference) -> dict[str, str]:
    return dict(zip(found.new["path"].to_pylist(), found.new["etag"].to_pylist(), strict=True))


def staying(found: Difference) -> set[str]:
    return {row["path"] for row in found.earlier.to_pylist() if row["stays"]}


@given(images=LISTINGS, known=LEDGERS)
def test_new_is_what_the_ledger_has_not_with_this_etag_and_with_it_what_could_not_be_read(
    images: dict[str, str], known: dict[str, tuple[str, str]]
) -> None:
    found = difference(listing_of(images), ledger_of(known))
    unseen = {path: etag for path, etag in images.items() if path not in known or known[path][0] != etag}
    again = {
        path: etag
        for path, etag in images.items()
        if unseen and path not in unseen and known[path][1] in ("unreadable", "missing")
    }
    assert new_of(found) == unseen | again
    assert found.new["path"].to_pylist() == sorted(unseen | again, key=str.encode)
    assert found.retried == len(again)
    assert found.listed == len(images) == found.known + found.new.num_rows


@given(images=LISTINGS, known=LEDGERS, keep_deleted=st.booleans())
def test_a_row_stays_while_its_image_is_listed_unchanged_and_a_deleted_one_where_it_is_kept(
    images: dict[str, str], known: dict[str, tuple[str, str]], keep_deleted: bool
) -> None:
    found = difference(listing_of(images), ledger_of(known), keep_deleted=keep_deleted)
    deleted = {path for path, (_, status) in known.items() if status == "ok" and path not in images}
    unchanged = (known.keys() & images.keys()) - new_of(found).keys()
    assert staying(found) == unchanged | (deleted if keep_deleted else set())
    assert found.deleted == len(deleted)
    assert found.kept == len({path for path in staying(found) if known[path][1] == "ok"})
    assert sorted(found.earlier["path"].to_pylist()) == sorted(known)


@pytest.mark.parametrize("status", ["ok", "corrupt", "empty", "not_an_image", "too_large"])
def test_an_image_that_says_itself_what_it_is_is_not_tried_again(status: str) -> None:
    found = difference(listing_of({"a": "1", "b": "1"}), ledger_of({"a": ("1", status)}))
    assert (new_of(found), found.known, found.retried) == ({"b": "1"}, 1, 0)


def test_an_image_that_is_changed_and_changed_back_is_computed_each_time() -> None:
    ledger = ledger_of({})
    for etag in ("1", "2", "1"):
        found = difference(listing_of({"a": etag}), ledger)
        assert new_of(found) == {"a": etag}
        ledger = after(found, etag)


def test_an_image_that_was_deleted_and_comes_back_is_new() -> None:
    found = difference(listing_of({"b": "1"}), ledger_of({"a": ("1", "ok")}))
    assert (found.deleted, found.kept) == (1, 0)
    ledger = after(found, "r2")
    assert ledger["path"].to_pylist() == ["b"]
    assert new_of(difference(listing_of({"a": "1", "b": "1"}), ledger)) == {"a": "1"}


def test_an_image_that_is_kept_though_deleted_is_known_when_it_comes_back() -> None:
    found = difference(listing_of({"b": "1"}), ledger_of({"a": ("1", "ok")}), keep_deleted=True)
    ledger = after(found, "r2")
    assert ledger["run"].to_pylist() == ["r1", "r2"]
    assert new_of(difference(listing_of({"a": "1", "b": "1"}), ledger)) == {}


def after(found: Difference, run: str) -> Any:
    """Return the ledger once all of ``found.new`` was computed."""
    outcomes = found.new.select(["path", "etag"])
    outcomes = outcomes.append_column("status", pa.array(["ok"] * outcomes.num_rows, pa.string()))
    return next_ledger(found.earlier, outcomes, run)
