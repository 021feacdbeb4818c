"""Work for Spark to schedule: a task for each item, results by the order of the items."""

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
    """Return what ``work`` yields of each item.

    Raises:
        OrchardError: that ``work`` has raised.
    """
    if not items:
        return []
    with raising_errors_of_workers():
        return map_items(context, items, len(items), work).collect()


def map_items(
    context: SparkContext, items: Sequence[Item], tasks: int, work: Work[Item, Result]
) -> "RDD[Result]":
    """Return what ``work`` yields of the items of each of the tasks, for Spark to go on with."""

    def run(some: Iterable[Item]) -> Iterator[Result]:
        keep_zips_closed()
        yield from work(some)
        keep_collections_short()

    return context.parallelize(items, tasks).mapPartitions(run)


def split_evenly(items: Sequence[Item], sizes: Iterable[int], count: int) -> list[list[Item]]:
    """Return the items in ``count`` groups or fewer, one after the other, of about the same size."""
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
    """Forget Python's importers of zip files; the next import of something new opens them again.

    Before each task Spark has Python look again at all that it imports from. An importer of a zip then reads
    the zip's directory, which takes 85 ms of a core for Spark's own.
    """
    for path, importer in list(sys.path_importer_cache.items()):
        if isinstance(importer, zipimporter):
            del sys.path_importer_cache[path]


def keep_collections_short() -> None:
    """Have Python's garbage collector pass over what the first task has imported.

    After each task Spark has it look through everything, which takes 50 ms of a core.
    """
    if not gc.get_freeze_count():
        gc.freeze()


def stop(context: SparkContext) -> None:
    """Stop Spark, before the process ends.

    Not by Python's ``stop``, which waits a second for a thread that listens to nobody any more.
    """
    context._jsc.stop()
