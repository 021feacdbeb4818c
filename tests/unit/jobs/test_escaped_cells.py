"""Text in the CSVs: inert in every spreadsheet, and read back as it was."""

import csv
import io
import re

import pyarrow.csv as pacsv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard_jobs.escaping import escape_cell, unescape_cell
from orchard_jobs.export import to_csv

STARTS = "=+-@\t\r\n＝＋－＠"
texts = st.text(alphabet=st.sampled_from([*STARTS, "'", '"', ";", ",", "a", "ü"]), max_size=12)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("apple/1.jpg", "apple/1.jpg"),
        ("o'clock.jpg", "o'clock.jpg"),
        ("'quoted'.jpg", "'quoted'.jpg"),
        *((f"{start}1", f"'{start}1") for start in STARTS),
        ("'=1", "''=1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
    ],
)
def test_a_formula_has_a_quotation_mark_in_front_and_nothing_else_has(text: str, cell: str) -> None:
    assert escape_cell(text) == cell


@given(texts)
def test_every_cell_is_one_texts_alone(text: str) -> None:
    assert unescape_cell(escape_cell(text)) == text


@given(texts)
def test_no_spreadsheet_finds_a_formula_whatever_it_takes_for_a_separator(text: str) -> None:
    found = [text for text in re.split(r"[;\t\r\n]", escape_cell(text)) if text]
    assert not [cell for cell in found if cell[0] in STARTS]


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_the_csv_is_read_by_pythons_reader_with_every_text_intact(rows: list[tuple[str, str]]) -> None:
    read = csv.reader(io.StringIO(to_csv(rows).decode(), newline=""), strict=True)
    assert [tuple(map(unescape_cell, row)) for row in read] == rows


def test_the_csv_is_read_by_pyarrow_with_every_text_intact() -> None:
    rows = [("=1", "a;=1"), ('"', "a\nb"), ("ü", "a\r\nb,c"), ("''", "'=1")]
    options = pacsv.ParseOptions(newlines_in_values=True)
    names = pacsv.ReadOptions(column_names=["path", "label"])
    table = pacsv.read_csv(io.BytesIO(to_csv(rows)), read_options=names, parse_options=options)
    found = [(unescape_cell(row["path"]), unescape_cell(row["label"])) for row in table.to_pylist()]
    assert found == rows
