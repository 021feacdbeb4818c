"""A row is taken out of a file; all its other bytes stay."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from erasure.rows import without
from orchard.lake.parquet import from_parquet, open_parquet
from orchard.publishing.publish import to_json
from orchard_jobs.escaping import escape_cell, unescape_cell
from tests.support.airflow.erasable_lake import lines, parquet

NAMES = ["a", 'b,"c"', "line\nbreak", "é 🍎/1.jpg", "=1+1.jpg", "'quoted", "\tx", "a\r\nb", "ab"]


@pytest.mark.parametrize("path", NAMES)
def test_a_line_goes_and_all_other_bytes_stay(path: str) -> None:
    whole, expected = (
        lines([escape_cell(n), "0.5"] for n in names) for names in (NAMES, [n for n in NAMES if n != path])
    )
    assert without("x.csv", whole, path) == expected
    assert without("x.csv", expected, path) is None
    assert unescape_cell(escape_cell(path)) == path


def test_a_row_goes_and_all_other_columns_types_and_groups_stay() -> None:
    schema = pa.schema(
        [("path", pa.string()), ("features", pa.list_(pa.float32())), ("thumbnail", pa.binary())],
        metadata={"made by": "somebody"},
    )
    table = pa.table(
        [["a", "b", None, "c"], [[1.5], None, [], [0.1]], [b"\x00", None, b"", b"x"]], schema=schema
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="snappy", row_group_size=2)
    found = without("part-0.snappy.parquet", buffer.getvalue(), "b")
    assert found is not None
    file, whole = (open_parquet(io.BytesIO(data)) for data in (found, buffer.getvalue()))
    assert file.schema.equals(whole.schema)
    assert from_parquet(found).equals(from_parquet(buffer.getvalue()).take([0, 2, 3]))
    assert (file.metadata.metadata or {})[b"made by"] == b"somebody"
    assert file.metadata.row_group(0).column(0).compression == "SNAPPY"
    assert file.num_row_groups == 2
    assert without("x.parquet", found, "b") is None


def test_the_last_row_of_a_file_leaves_an_empty_one() -> None:
    found = without("x.parquet", parquet([{"path": "a", "features": [1.0]}]), "a")
    assert found is not None
    assert from_parquet(found).num_rows == 0


def test_a_report_forgets_examples_and_the_name_in_an_error() -> None:
    report = {"rejected_examples": [{"path": "a"}, {"path": "b"}], "error": "two rows of 'a'", "k": 1}
    found = without("x.json", to_json(report), "a")
    assert found is not None
    assert json.loads(found) == {
        "rejected_examples": [{"path": "b"}],
        "error": "two rows of '(an image that was erased)'",
        "k": 1,
    }
