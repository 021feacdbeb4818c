"""Writes the tables of docs/explanation/performance.md from results.json, so that no figure is typed by hand.

    python -m benchmarks.tables benchmarks/results.json          prints them
    python -m benchmarks.tables benchmarks/results.json PAGE     writes them into the page

In the page, a table is between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import figures, phases, sizing
from benchmarks.lines import Results
from orchard_jobs.errors import OrchardError

Content = Mapping[str, Any]

TABLES: dict[str, Callable[[Content, Results], str]] = {
    "figures": lambda content, _: figures.format_table(content["figures"], figures.find_numbers(content)),
    "phases": lambda _, results: phases.format_table(results.seconds, results.many, results.cores),
    "clusters": lambda _, results: sizing.format_table(results),
    "check": lambda _, results: sizing.format_check(results),
    "families": lambda _, results: sizing.format_families(results),
}
_PLACE = re.compile(r"(?<=<!-- table: )(?P<name>\w+) -->\n.*?(?=<!-- end of table -->)", re.DOTALL)


def main(tokens: list[str]) -> int:
    file, *pages = map(Path, tokens)
    try:
        tables = build_tables(file)
        for page in pages:
            page.write_text(fill_in(page.read_text(), tables))
    except OrchardError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    if not pages:
        print("\n\n".join(f"{name}\n\n{table}" for name, table in tables.items()))
    return 0


def build_tables(file: Path) -> dict[str, str]:
    """Return the tables by name.

    Raises:
        OrchardError: if the results lack parts, or have only one number of images.
    """
    data = file.read_bytes()
    content, results = json.loads(data), Results.from_json(data)
    if results.many <= results.images:
        rule = "an estimate needs two numbers of images"
        raise OrchardError(
            f"{results.many} and {results.images} images", rule=rule, remedy="Set MANY higher than N"
        )
    try:
        return {name: build(content, results) for name, build in TABLES.items()}
    except KeyError as missing:
        raise OrchardError(
            f"{file} has no {missing}",
            rule="the tables need all parts",
            remedy="Run make bench without PARTS",
        ) from None


def fill_in(page: str, tables: Mapping[str, str]) -> str:
    """Return the page with its tables replaced."""
    return _PLACE.sub(lambda found: f"{found['name']} -->\n\n{tables[found['name']]}\n\n", page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
