"""Whole small objects at ``file://`` and ``s3://`` URIs, as Airflow's side reads and writes them.

After the scheme comes the plain path or key: nothing is percent-decoded, because Hadoop's ``Path``
does not decode either and both must name the same file.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from orchard.access import Access
from orchard_jobs.errors import OrchardError

ABSENT = ""
"""The version of an object that does not exist."""


class Versioned(NamedTuple):
    """An object's bytes and a token that changes with them."""

    data: bytes
    version: str


class Stored(NamedTuple):
    """An object below a folder: its path in there, its bytes, and when it was written."""

    name: str
    size: int
    modified: datetime


class Storage(Protocol):
    """Reads raise FileNotFoundError; writes are seen whole or not at all."""

    def read(self, uri: str) -> Versioned: ...

    def open(self, uri: str) -> BinaryIO:
        """Return an object to read parts of, without the rest of it."""

    def write(self, uri: str, data: bytes) -> None: ...

    def replace(self, uri: str, data: bytes, version: str) -> None:
        """Write only if the object still has ``version``; raise OrchardError if it has not."""

    def delete(self, uri: str) -> None:
        """Delete an object; one that is not there is no error."""

    def delete_folder(self, uri: str) -> None:
        """Delete every object below the folder ``uri``; one that is not there is no error."""

    def objects(self, uri: str) -> list[Stored]:
        """Return every object below the folder ``uri``, however deep, hidden ones too."""

    def folders(self, uri: str) -> list[str]:
        """Return the names of the folders directly in the folder ``uri``, sorted."""

    def names(self, uri: str) -> list[str]:
        """Return the names of the objects directly in the folder ``uri``, sorted; none if it is absent."""


def storage_for(uri: str, access: Access) -> Storage:
    """Return the storage of ``uri``'s scheme."""
    if not uri.startswith("s3://"):
        return FileStorage()
    from orchard.storage_s3 import S3Storage  # noqa: PLC0415 - which is made of what is here

    return S3Storage.of(access)


def to_uri(given: str) -> str:
    """Return a URI as it is, and a path as ``file://``, as people give either on a command line."""
    return given.rstrip("/") if "://" in given else f"file://{Path(given).expanduser().absolute()}"


def local_path(uri: str) -> Path:
    """Return the path that a ``file://`` URI names."""
    return Path(uri.removeprefix("file://"))


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Split an ``s3://`` URI; the key is '' for a bare bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class FileStorage:
    """Files. A write goes to a hidden file beside its target, then takes its name."""

    def read(self, uri: str) -> Versioned:
        data = local_path(uri).read_bytes()
        return Versioned(data, hashlib.sha256(data).hexdigest())

    def open(self, uri: str) -> BinaryIO:
        return local_path(uri).open("rb")

    def write(self, uri: str, data: bytes) -> None:
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp gives 0600; the jobs may run as another user than Airflow.
            Path(staged).chmod(0o644)
            Path(staged).replace(path)
        except BaseException:
            Path(staged).unlink(missing_ok=True)
            raise

    def replace(self, uri: str, data: bytes, version: str) -> None:
        path = local_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            if (self.read(uri).version if path.exists() else ABSENT) != version:
                raise changed(uri)
            self.write(uri, data)

    def delete(self, uri: str) -> None:
        local_path(uri).unlink(missing_ok=True)

    def delete_folder(self, uri: str) -> None:
        if local_path(uri).exists():
            shutil.rmtree(local_path(uri))

    def objects(self, uri: str) -> list[Stored]:
        root = local_path(uri)
        files = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
        return sorted(_describe(path, root) for path in files)

    def folders(self, uri: str) -> list[str]:
        folder = local_path(uri)
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def names(self, uri: str) -> list[str]:
        folder = local_path(uri)
        if not folder.is_dir():
            return []
        return sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


def _describe(path: Path, root: Path) -> Stored:
    found = path.lstat()
    return Stored(
        path.relative_to(root).as_posix(), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)
    )


def changed(uri: str) -> OrchardError:
    return OrchardError(
        f"{uri} has changed since it was read",
        rule="one run publishes at a time",
        remedy="clear this run's task 'sense', so that it starts from what the other run published",
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
