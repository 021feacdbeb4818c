"""List the images of a folder at a ``file://`` or ``s3://`` URI, as manifest rows.

The job that opens a file decides whether it is an image: every file is listed, except hidden ones
(``contract.is_hidden``) and the folder markers, ending in '/', that S3 consoles create.

Local links to files are listed, even broken ones, which become rejected rows. Links to folders are not
followed, because they could form a loop. Pipes, sockets and devices are skipped, because opening one may
block forever.
"""

import gc
import logging
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from orchard.lake.objects import local_path
from orchard.sensing.listing_s3 import bucket_and_prefix, list_bucket
from orchard.settings.aws import Access
from orchard_jobs.contract import MANIFEST_COLUMNS, is_hidden, label_of
from orchard_jobs.errors import OrchardError
from orchard_jobs.escaping import to_line, to_path

log = logging.getLogger(__name__)

BATCH = 50_000
"""Maximum rows held as Python objects; the rest is Arrow."""

MANIFEST_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("etag", pa.string()),
        ("size", pa.int64()),
        ("modified", pa.timestamp("us", tz="UTC")),
    ]
)
assert tuple(MANIFEST_SCHEMA.names) == MANIFEST_COLUMNS  # noqa: S101 - the contract, checked where it is used


class Image(NamedTuple):
    """One row of the manifest."""

    path: str
    label: str
    etag: str
    size: int
    modified: datetime


def list_images(uri: str, access: Access) -> pa.Table:
    """Return all images below ``uri``, as a table of MANIFEST_SCHEMA, in any order.

    Raises:
        OrchardError: if the folder, or a folder below it, cannot be listed.
    """
    if uri.startswith("s3://"):
        images = list_objects(list_bucket(uri, access), bucket_and_prefix(uri)[1])
    else:
        images = list_folder(local_path(uri))
    with _without_garbage_collection():
        return pa.Table.from_batches(_to_batches(images), schema=MANIFEST_SCHEMA)


def list_folder(root: Path) -> Iterator[Image]:
    """Yield the images below a local folder, folder by folder, sorted by name in each."""
    if not root.is_dir():
        raise OrchardError(
            f"no folder {root}", rule="images must be in a folder", remedy="correct the images URI"
        )
    above = f"{root}/" if root.name else str(root)
    pending = [str(root)]
    while pending:
        folder = pending.pop()
        for entry in _scan(folder, is_root=folder == str(root)):
            if is_hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif image := _from_entry(entry, above):
                yield image


def list_objects(pages: Iterable[list[dict[str, Any]]], prefix: str) -> Iterator[Image]:
    """Yield the images among objects whose keys begin with ``prefix``."""
    for page in pages:
        for item in page:
            path = item["Key"].removeprefix(prefix)
            is_marker = item["Key"].endswith("/")
            if not is_marker and not is_hidden(path):
                yield Image(path, label_of(path), item["ETag"].strip('"'), item["Size"], item["LastModified"])


def _scan(folder: str, *, is_root: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        if is_root:
            raise
        return []  # removed since its parent was listed
    except OSError as error:
        raise OrchardError(
            f"cannot list {to_line(folder)}: {error.strerror}",
            rule="every folder below the image folder must be listed, or its images would count as deleted",
            remedy="make it readable for Airflow's user, or move it elsewhere",
        ) from error


def _from_entry(entry: os.DirEntry[str], above: str) -> Image | None:
    try:
        status = entry.stat()
    except OSError:
        if not entry.is_symlink():
            return None  # removed since its folder was listed
        status = entry.stat(follow_symlinks=False)  # a broken link
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        if entry.is_symlink():
            log.warning("not following the link %s", to_line(entry.path))
        return None
    path = to_path(entry.path.removeprefix(above))
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return Image(path, label_of(path), f"{status.st_mtime_ns:x}-{status.st_size:x}", status.st_size, modified)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector: a listing creates no reference cycles, and a collection traverses
    everything that Airflow has loaded. Measured for a million objects in S3: 16 s of CPU instead of 43 s.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _to_batches(images: Iterable[Image]) -> Iterator[pa.RecordBatch]:
    remaining = iter(images)
    while rows := list(islice(remaining, BATCH)):
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, MANIFEST_SCHEMA.types, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=MANIFEST_SCHEMA)
