"""Make the report of a published run: from the lake, into the lake."""

import logging

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.run_index import RunIndex
from orchard.report.loading.load import read_facts
from orchard.report.page.render import render
from orchard.report.stored import find_lacking, store_report
from orchard_jobs.errors import OrchardError

log = logging.getLogger(__name__)

LOOKED_AT = 7
"""Runs before the newest one whose reports are looked for: a week's."""


def write_report(storage: Storage, lake: Lake, slug: str) -> str:
    """Write the report of the run ``slug`` into its folder, and return its URI.

    Made again, it has the same bytes, as long as what it is made from is there.

    Raises:
        OrchardError: where the run is not published, or its results are not there.
    """
    return store_report(storage, lake, slug, render(read_facts(storage, lake, slug)).encode())


def write_missing_reports(storage: Storage, lake: Lake, slug: str) -> list[str]:
    """Write the reports that the runs before ``slug`` lack, as their own tasks may have failed.

    What such a report is made from may have gone, with compaction, retention or a purge: that is logged, and
    nothing else. A report that is wanted can be made again with `orchard report`.

    Returns:
        Their URIs.
    """
    names = RunIndex.load(storage, lake).names
    before = names[names.index(slug) + 1 :][:LOOKED_AT] if slug in names else ()
    written = []
    for run in find_lacking(storage, lake, before):
        try:
            written.append(write_report(storage, lake, run))
        except (OrchardError, FileNotFoundError) as error:
            log.info("run %s has no report, and none can be made: %s", run, error)
    return written
