"""Write the report of a published run."""

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
"""Number of previous runs to check for missing reports: a week."""


def write_report(storage: Storage, lake: Lake, slug: str) -> str:
    """Write the report of the run ``slug`` into its folder, and return its URI.

    It is deterministic as long as the run's data is unchanged.

    Raises:
        OrchardError: if the run is not published, or its results are missing.
    """
    return store_report(storage, lake, slug, render(read_facts(storage, lake, slug)).encode())


def write_missing_reports(storage: Storage, lake: Lake, slug: str) -> list[str]:
    """Write missing reports of the runs before ``slug``, whose own tasks may have failed.

    Compaction, retention or a purge may have deleted a run's data: that is only logged. `orchard report` can
    write any other report again.

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
            log.info("Run %s has no report, and it cannot be written: %s", run, error)
    return written
