"""Imports run one way, and no folder has too many modules.

``LEVELS`` is the one list of what may import what. A new package gets a place in it. Where a test fails,
move what is imported down, or what imports it up; never move a package in the list to silence it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

LEVELS: tuple[tuple[str, ...], ...] = (
    # Shared by Airflow and the nodes.
    ("orchard_jobs.errors",),
    ("orchard_jobs.argv",),
    ("orchard_jobs.contract", "orchard_jobs.run_folder", "orchard_jobs.escaping"),
    # The jobs on the nodes.
    ("orchard_jobs.storage", "orchard_jobs.kernels"),
    ("orchard_jobs.metrics", "orchard_jobs.event_log", "orchard_jobs.spark_tasks"),
    ("orchard_jobs.tables",),
    ("orchard_jobs.images", "orchard_jobs.models", "orchard_jobs.pca"),
    ("orchard_jobs.featurize", "orchard_jobs.reduce", "orchard_jobs.export"),
    ("orchard_jobs.cli",),
    # Operators and triggers, which import nothing about the lake.
    ("orchard_airflow",),
    ("orchard_emr_triggers",),
    # The DAGs, the lake, and the pages.
    ("orchard.deployed",),
    ("orchard.settings",),
    ("orchard.lake",),
    ("orchard.report.numbers", "orchard.report.formats", "orchard.report.stored"),
    ("orchard.report.run_figures",),
    ("orchard.report.facts",),
    ("orchard.report.loading", "orchard.report.page"),
    ("orchard.sensing", "orchard.emr", "orchard.publishing", "orchard.report.write"),
    ("orchard.workflow", "orchard.pages"),
    ("orchard_features", "orchard_sweeper", "orchard_plugin"),
    # What people run. Development tools are above the product.
    ("bootstrap",),
    ("erasure", "deployment", "local_spark"),
    ("readiness",),
    ("local_emr",),
    ("local_airflow",),
    ("orchard_cli",),
    ("benchmarks",),
    ("docs",),
)
"""From the lowest to the highest. A package imports from itself and from lower levels."""

STANDS_ALONE = ("local_emr", "orchard_airflow")
"""These import nothing else of this project: others use the first, and triggerers have only the second."""

TOP = (
    "bootstrap",
    "erasure",
    "deployment",
    "readiness",
    "local_spark",
    "local_emr",
    "local_airflow",
    "orchard_cli",
    "benchmarks",
    "docs",
)
SOURCES = {"dags": "dags", "plugins": "plugins", "spark_jobs": "spark_jobs"} | dict.fromkeys(TOP, ".")
"""Folders of product code, and their folder on the Python path."""

MOST_MODULES = 15

LEVEL_OF = {package: level for level, packages in enumerate(LEVELS) for package in packages}
OURS = {package.partition(".")[0] for package in LEVEL_OF}


def list_modules() -> Iterator[tuple[str, Path]]:
    """Yield every module of the product with its dotted name."""
    for folder, on_path in SOURCES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / on_path).with_suffix("").parts
            if parts[-1] not in ("__init__", "run"):  # only docstrings, or the script of a step
                yield ".".join(parts), path


MODULES = dict(list_modules())


def find_package(module: str) -> str | None:
    """Return the entry of LEVELS that contains a module; None for third-party modules and other names."""
    parts = module.split(".")
    prefixes = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in LEVEL_OF), None)


def list_imports(path: Path) -> Iterator[str]:
    """Yield all imports of a module; ``from package import name`` yields ``package.name``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_a_level() -> None:
    assert [module for module in MODULES if find_package(module) is None] == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_from_higher_packages_to_lower_ones(module: str) -> None:
    package = find_package(module) or ""
    upwards = [
        imported
        for imported in list_imports(MODULES[module])
        if (found := find_package(imported)) is not None
        and found != package
        and LEVEL_OF[found] >= LEVEL_OF[package]
    ]
    assert upwards == [], f"{module} imports from the same level or a higher one"


@pytest.mark.parametrize("alone", STANDS_ALONE)
def test_what_stands_alone_imports_nothing_else_of_ours(alone: str) -> None:
    foreign = {
        imported
        for module, path in MODULES.items()
        if module.partition(".")[0] == alone
        for imported in list_imports(path)
        if imported.partition(".")[0] in OURS - {alone}
    }
    assert foreign == set()


def test_no_folder_has_more_modules_than_one_can_look_over() -> None:
    folders = {path.parent for path in MODULES.values()}
    counts = {folder.relative_to(ROOT).as_posix(): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}
