"""Runs work as Spark tasks, one per item, and returns the results in the order of the items."""

import gc
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar
from zipimport import zipimporter

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark import RDD, SparkContext

from orchard_jobs.errors import OrchardError

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Iterable[Item]], Iterable[Result]]


def run_tasks(context: SparkContext, items: Sequence[Item], work: Work[Item, Result]) -> list[Result]:
    """Run ``work`` on each item; return everything that it yields.

    Raises:
        OrchardError: if ``work`` raises one.
    """
    if not items:
        return []
    with raising_errors_of_workers():
        return map_items(context, items, len(items), work).collect()


def map_items(
    context: SparkContext, items: Sequence[Item], tasks: int, work: Work[Item, Result]
) -> "RDD[Result]":
    """Return an RDD of what ``work`` yields for the items, which are spread over ``tasks`` tasks."""

    def run(some: Iterable[Item]) -> Iterator[Result]:
        keep_zips_closed()
        yield from work(some)
        keep_collections_short()

    return context.parallelize(items, tasks).mapPartitions(run)


def split_evenly(items: Sequence[Item], sizes: Iterable[int], count: int) -> list[list[Item]]:
    """Split the items, in order, into at most ``count`` groups of about the same total size."""
    ends = list(itertools.accumulate(sizes))
    starts = [0, *ends[:-1]]
    groups: dict[int, list[Item]] = {}
    for item, start, end in zip(items, starts, ends, strict=True):
        middle = (start + end) * count // (2 * ends[-1])
        groups.setdefault(middle, []).append(item)
    return list(groups.values())


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


def keep_zips_closed() -> None:
    """Drop Python's cached importers of zip files; the next import of a new module opens them again.

    Spark invalidates Python's import caches before each task. A zip importer then reads the zip's directory,
    which takes 85 ms of CPU time for Spark's own zip.
    """
    for path, importer in list(sys.path_importer_cache.items()):
        if isinstance(importer, zipimporter):
            del sys.path_importer_cache[path]


def keep_collections_short() -> None:
    """Exclude the modules that the first task has imported from Python's garbage collection.

    Spark runs a full collection after each task, which takes 50 ms of CPU time otherwise.
    """
    if not gc.get_freeze_count():
        gc.freeze()


def stop(context: SparkContext) -> None:
    """Stop Spark before the process exits.

    Does not use Python's ``SparkContext.stop``, which waits one second for the accumulator server's thread.
    """
    context._jsc.stop()
