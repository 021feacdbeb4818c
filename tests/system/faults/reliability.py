"""Hooks of pytest that write ``docs/reference/faults.md`` from what a run of the whole matrix has seen.

Each test says with ``@pytest.mark.fault("what is done to the run", then="what comes of the run")`` which row
is its own, and each proof of ``checks.py`` adds its name to the row. No time and no name of a machine is
written, so that a rerun with the same results changes nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HEAD = """\
# What Orchard survives

Each row is a test in `tests/system/faults`: it does what *fault* says to a real run (Airflow, the local EMR,
the real jobs on Spark) and waits for *outcome*. *Proved* is what held afterwards: every cluster of the run is
in a terminal state, no process of a step lives, nothing partial is published, the next run succeeds, and
`features.csv`, `rejects.csv` and the basis are byte for byte those of an undisturbed run on the same
images. *Result* is `passed`, `failed`, or `skipped` with the reason. `make test-faults` writes this file
whenever all of the tests have run.

| fault | outcome | proved | result | test |
|---|---|---|---|---|
"""


@dataclass
class Row:
    """One test of the matrix."""

    test: str
    fault: str
    then: str
    proved: list[str] = field(default_factory=list)
    result: str = "not run"

    def __str__(self) -> str:
        return f"| {self.fault} | {self.then} | {', '.join(self.proved)} | {self.result} | `{self.test}` |"


class Matrix:
    """The rows, in the order in which the tests are collected."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        self.is_whole = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            marker = item.get_closest_marker("fault")
            if marker:
                given = getattr(item, "callspec", None)
                values: dict[str, Any] = given.params if given else {}
                fault, then = marker.args[0].format(**values), marker.kwargs["then"].format(**values)
                self.rows[item.nodeid] = Row(item.nodeid.rpartition("/")[2], fault, then)

    def pytest_deselected(self) -> None:
        self.is_whole = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row = self.rows.get(report.nodeid)
        if row is None:
            return
        row.proved = dict(report.user_properties).get("proved", row.proved)  # type: ignore[assignment]
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            row.result = f"skipped: {reason.removeprefix('Skipped: ')}"
        elif report.failed:
            row.result = "failed"
        elif report.when == "call" and row.result == "not run":
            row.result = "passed"

    def pytest_sessionfinish(self) -> None:
        if self.is_whole and all(row.result != "not run" for row in self.rows.values()):
            self.path.write_text(HEAD + "".join(f"{row}\n" for row in self.rows.values()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", type=Path, metavar="FILE", help="write the matrix as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--reliability")
    if path:
        config.pluginmanager.register(Matrix(path))
