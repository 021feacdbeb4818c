"""Copy featurize's thumbnails of the images in a report, without decoding them."""

from collections import defaultdict
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.report.loading.rows import read_file, read_folder
from orchard_jobs.errors import OrchardError

LARGEST = 4096
"""Maximum bytes of a thumbnail."""


def find_thumbnails(storage: Storage, lake: Lake, slug: str, paths: Collection[str]) -> dict[str, bytes]:
    """Return the available thumbnails of ``paths``.

    An image's features and thumbnail are in the run that computed them, which the ledger names. Once that
    entry has been compacted, only images of the run ``slug`` itself are found. Earlier versions made no
    thumbnails.
    """
    found: dict[str, bytes] = {}
    for run, wanted in _runs_of(storage, lake, slug, paths).items():
        try:
            for batch in read_folder(storage, lake.run(run).features, ["path", "thumbnail"]):
                here = batch.filter(pc.is_in(batch["path"], wanted))
                pairs = zip(here["path"].to_pylist(), here["thumbnail"].to_pylist(), strict=True)
                found |= {path: image for path, image in pairs if image and is_webp(image)}
        except OrchardError:  # without that folder the report lacks pictures only
            continue
    return found


def is_webp(data: bytes) -> bool:
    """Whether ``data`` starts like a WebP and is not larger than a thumbnail."""
    return len(data) <= LARGEST and data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _runs_of(storage: Storage, lake: Lake, slug: str, paths: Collection[str]) -> dict[str, pa.Array]:
    """Return the paths by the run that has their features."""
    wanted = pa.array(sorted(paths), pa.string())
    runs = defaultdict[str, list[str]](list)
    try:
        for batch in read_file(storage, lake.ledger_entry(slug), ["path", "run"]):
            here = batch.filter(pc.is_in(batch["path"], wanted))
            for path, run in zip(here["path"].to_pylist(), here["run"].to_pylist(), strict=True):
                runs[run].append(path)
    except FileNotFoundError:
        return {slug: wanted}
    return {run: pa.array(found, pa.string()) for run, found in sorted(runs.items())}
