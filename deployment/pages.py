"""The code of the pages in Airflow's UI, as a zip next to their plugin: the API server has no ``dags/``.

No more than the pages import, because managed Airflow takes a new ``plugins.zip`` only with an update that
restarts it. What they import is read from the revision that is deployed, which may be an older one.
"""

import ast
from collections.abc import Iterator, Mapping

from deployment.archive import zip_files

NAME = "orchard_pages.zip"
APP = "orchard.pages.app"
ROOTS = ("dags/", "spark_jobs/")
ASSETS = ("dags/orchard/pages/assets/", "dags/orchard/report/assets/style.css")


def zip_pages(files: Mapping[str, bytes]) -> bytes:
    """Return the reproducible zip."""
    paths = {*find_modules(files), *(path for path in files if path.startswith(ASSETS))}
    return zip_files({path.partition("/")[2]: files[path] for path in paths})


def find_modules(files: Mapping[str, bytes]) -> set[str]:
    """Return the paths of the pages' app and of all project modules it imports, at any level."""
    found: set[str] = set()
    waiting = [APP]
    while waiting:
        for path in _find_paths(waiting.pop(), files):
            if path not in found:
                found.add(path)
                waiting.extend(_imported(files[path]))
    return found


def _find_paths(name: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the files of a module and of its packages; none if it is not part of the project."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        folder = "/".join(parts[:end])
        candidates = (f"{root}{folder}{suffix}" for root in ROOTS for suffix in (".py", "/__init__.py"))
        yield from (path for path in candidates if path in files)


def _imported(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A name imported from a package may be one of its modules.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
