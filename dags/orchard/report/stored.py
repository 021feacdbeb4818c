"""Store report.html with a digest, so that nobody can replace it.

The report is in the run's folder, where nodes can write. Its digest is beside the ledger, where they cannot:
a replaced report is never shown to users who are logged in to Airflow.
"""

from collections.abc import Iterable
from hashlib import sha256

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard_jobs.errors import OrchardError

MOST_BYTES = 2**23
"""Maximum bytes of a report; ours have less than 5 MB."""


def store_report(storage: Storage, lake: Lake, slug: str, page: bytes) -> str:
    """Write the page of the run ``slug``, then its digest; return the page's URI."""
    uri = lake.run(slug).page
    storage.write(uri, page)
    storage.write(lake.report_digest(slug), sha256(page).hexdigest().encode())
    return uri


def find_lacking(storage: Storage, lake: Lake, slugs: Iterable[str]) -> list[str]:
    """Return the runs without a report or its digest; ``read_report`` checks the content."""
    digests = set(storage.names(lake.ledger))
    return [
        slug
        for slug in slugs
        if _name(lake.report_digest(slug)) not in digests
        or _name(lake.run(slug).page) not in storage.names(lake.run(slug).uri)
    ]


def read_report(storage: Storage, lake: Lake, slug: str) -> bytes:
    """Return the page of the run ``slug``.

    Raises:
        FileNotFoundError: if there is none.
        OrchardError: if Airflow did not write it.
    """
    uri = lake.run(slug).page
    page = storage.read(uri, MOST_BYTES).data
    try:
        digest = storage.read(lake.report_digest(slug), MOST_BYTES).data
    except FileNotFoundError:
        digest = b""
    if sha256(page).hexdigest().encode() != digest:
        raise OrchardError(
            f"{uri} is not as the task 'report' wrote it",
            rule="its digest must match: nodes can write there, and earlier versions stored no digest",
            remedy="write it again: clear the run's task 'report', or run `orchard report`",
        )
    return page


def _name(uri: str) -> str:
    return uri.rpartition("/")[2]
