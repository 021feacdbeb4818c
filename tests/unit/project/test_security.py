"""Every test that docs/explanation/security.md names exists."""

import re

from tests.support.checkout import ROOT

WITNESSES = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "explanation" / "security.md").read_text()))


def test_every_test_that_the_table_of_threats_names_exists() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    tests = set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
    assert tests >= WITNESSES > set()
