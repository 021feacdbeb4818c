"""The images of a folder at a ``file://`` or ``s3://`` URI, as batches of manifest rows.

What counts as an image is decided by the job that opens it, not here: every file is listed, except
the hidden ones (``contract.is_hidden``) and the markers, ending in '/', that consoles make for folders.

Local links: a link to a file is listed whatever it points to (a broken one becomes a rejected row, not
a silent gap); a link to a folder is not followed, so a loop cannot trap the walk; pipes, sockets and
devices are passed over, because opening one may never return.
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
"""Rows held as Python objects at once; everything else is Arrow."""

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
    """Return every image below ``uri``, as a table of MANIFEST_SCHEMA, in any order.

    Raises:
        OrchardError: if the folder, or a folder in it, cannot be listed.
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
            f"no folder {root}", rule="the images are in a folder", remedy="correct the images URI"
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
            rule="every folder below that of the images is listed, or images would vanish unnoticed",
            remedy="make it readable to Airflow's user, or move it elsewhere",
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
    """Do not look for cycles of references: a listing makes none, and a look walks all that Airflow loaded.

    Seen with a million objects in S3: 16 s of CPU instead of 43 s.
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
