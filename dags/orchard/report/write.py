"""Make the report of a published run: from the lake, into the lake."""

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.report.loading.load import read_facts
from orchard.report.page.render import render


def write_report(storage: Storage, lake: Lake, slug: str) -> str:
    """Write the report of the run ``slug`` into its folder, and return its URI.

    Made again, it has the same bytes, as long as what it is made from is there.

    Raises:
        OrchardError: where the run is not published, or its results are not there.
    """
    page = render(read_facts(storage, lake, slug))
    uri = lake.run(slug).page
    storage.write(uri, page.encode())
    return uri
