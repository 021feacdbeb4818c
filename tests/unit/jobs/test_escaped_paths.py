"""Names that are no text become paths, no two of them the same one, and are found again."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard_jobs.escaping import to_line, to_name, to_path

names = st.binary(min_size=1).map(os.fsdecode) | st.from_regex(r"[a\\x5cf0-9]{1,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"apple/1.jpg", "apple/1.jpg"),
        ("ü #1 + %20.jpg".encode(), "ü #1 + %20.jpg"),
        (rb"a\b.jpg", r"a\b.jpg"),
        (rb"\x.jpg", r"\x.jpg"),
        (b"\xff.jpg", r"\xff.jpg"),
        (rb"\xff.jpg", r"\x5cxff.jpg"),
        (rb"\x5cxff.jpg", r"\x5cx5cxff.jpg"),
    ],
)
def test_a_path_has_the_bytes_that_are_no_text_by_their_digits(name: bytes, path: str) -> None:
    assert to_path(os.fsdecode(name)) == path
    assert os.fsencode(to_name(path)) == name


@given(names)
def test_every_name_is_found_again_by_its_path(name: str) -> None:
    path = to_path(name)
    path.encode()  # it is text
    assert to_name(path) == name


@given(names)
def test_a_name_is_one_printable_line_in_a_log(name: str) -> None:
    assert to_line(f"{name}\n\x1b[2J\u202e").isprintable()
