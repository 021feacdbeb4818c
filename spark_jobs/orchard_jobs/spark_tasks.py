"""Work for Spark to schedule: a task for each item, results by the order of the items."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark import SparkContext

from orchard_jobs.errors import OrchardError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_tasks(
    context: SparkContext, items: Sequence[Item], work: Callable[[Iterable[Item]], Iterable[Result]]
) -> list[Result]:
    """Return what ``work`` yields of each item.

    Raises:
        OrchardError: that ``work`` has raised.
    """
    if not items:
        return []
    with raising_errors_of_workers():
        return context.parallelize(items, len(items)).mapPartitions(work).collect()


@contextmanager
def raising_errors_of_workers() -> Iterator[None]:
    """Raise the OrchardError of a Python worker, which arrives as the text of its traceback."""
    try:
        yield
    except Py4JJavaError as error:
        found = re.search(r"^orchard_jobs\.errors\.OrchardError: (.+)$", str(error), re.MULTILINE)
        if not found:
            raise
        raise OrchardError.from_line(found.group(1)) from error
