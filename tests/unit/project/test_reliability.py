"""The committed fault matrix matches the tests, and none of its rows has failed."""

import re

from tests.support.checkout import ROOT


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "reference" / "faults.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def test_every_row_has_passed_or_says_why_it_was_skipped() -> None:
    results = [row[3] for row in rows()]
    assert results
    assert [result for result in results if result != "passed" and not result.startswith("skipped: ")] == []


def test_every_test_of_the_matrix_has_its_row_and_every_row_its_test() -> None:
    written = {re.sub(r"\[.*", "", row[4].strip("`")) for row in rows()}
    tests = {
        f"{path.name}::{name}"
        for path in (ROOT / "tests" / "system" / "faults").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert written == tests
