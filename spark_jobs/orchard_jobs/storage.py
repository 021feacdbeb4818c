"""Reads and writes bytes at ``s3://`` and ``file://`` URIs.

A URI is ``scheme://`` followed by the plain path or key. It is not percent-decoded, because Hadoop's ``Path``
does not decode either, and both must name the same file.

S3 is accessed with obstore, whose small GETs cost a fraction of boto3's CPU time, and which releases the GIL
while it waits. Credentials come from the environment or the instance profile, the region from AWS_REGION or
else from S3 itself.

obstore cannot address keys with an empty segment (``a//b``), ``.``, ``..`` or a control character: reading
one raises an OSError.
"""

import functools
import io
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol, cast
from uuid import uuid4

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, S3Store
from pyarrow.fs import resolve_s3_region

from orchard_jobs.errors import OrchardError, first_line, naming


@dataclass(frozen=True)
class StoredFile:
    """One file of a listing. ``path`` is relative to the listed folder, ``size`` in bytes."""

    path: str
    etag: str
    size: int
    modified: datetime


class Sink(Protocol):
    """Accepts the bytes of one object, in order."""

    def write(self, data: bytes, /) -> int: ...


HEAD = 2**20
"""Bytes. Of a larger file, the beginning decides whether the rest is read."""

Reader = Callable[..., bytes]
"""``read(path, max_bytes=None, wanted=None)`` reads a file in a folder, or raises OSError.

It raises FileTooLargeError for a file of more than ``max_bytes``, before allocating memory. For a file larger
than HEAD, it returns only the beginning if ``wanted(beginning)`` is false. It is thread-safe.
"""

Wanted = Callable[[bytes], bool]


class FileTooLargeError(OSError):
    """A file is larger than its reader allows; no bytes are kept."""


def read_bytes(uri: str) -> bytes:
    """Return the object at ``uri``.

    Raises:
        FileNotFoundError, PermissionError, OSError: as for a local file, also in S3.
    """
    folder, _, name = uri.rpartition("/")
    return open_folder(folder)(name)


def file_size(uri: str) -> int | None:
    """Return the size of the object at ``uri`` in bytes; None if there is none, or it is a folder."""
    if _scheme(uri) == "file":
        path = local_path(uri)
        return path.stat().st_size if path.is_file() else None
    store, key = _s3_store(uri)
    if not key:
        return None
    try:
        with _as_os_error(key):
            return int(store.head(key)["size"])
    except FileNotFoundError:
        return None


def open_file(uri: str, size: int) -> BinaryIO:
    """Open an object of ``size`` bytes for random access. In S3 each read is a range GET."""
    if _scheme(uri) == "file":
        return local_path(uri).open("rb")
    return cast("BinaryIO", _ObjectFile(*_s3_store(uri), size))


def write_bytes(uri: str, data: bytes) -> None:
    """Write one object atomically: readers see the old bytes or the new ones."""
    if _scheme(uri) == "file":
        _replace_file(local_path(uri), data)
        return
    store, key = _s3_store(uri)
    store.put(key, data)


def create_file(uri: str, data: bytes) -> bool:
    """Write one object atomically unless it exists; return whether this call created it.

    If several writers create the same object, the first one's bytes stay.
    """
    if _scheme(uri) == "file":
        return _create_local(local_path(uri), data)
    store, key = _s3_store(uri)
    try:
        store.put(key, data, mode="create")
    except AlreadyExistsError:
        return False
    return True


def delete_folder(uri: str) -> None:
    """Delete every file below ``uri``, if there are any."""
    if _scheme(uri) == "file":
        with suppress(FileNotFoundError):
            shutil.rmtree(local_path(uri))
        return
    store, prefix = _s3_store(uri)
    for page in store.list(prefix=f"{prefix}/"):
        store.delete([item["path"] for item in page])


@contextmanager
def refusing(uri: str, rule: str, remedy: str) -> Iterator[None]:
    """Turn errors of a write to ``uri`` into a one-line error with a rule and a remedy.

    Raises:
        OrchardError: if the block raises an error of the storage.
    """
    try:
        yield
    except (OSError, BaseError) as error:
        raise OrchardError(f"cannot write {uri} ({first_line(error)})", rule=rule, remedy=remedy) from error


@contextmanager
def open_writer(uri: str) -> Iterator[Sink]:
    """Stream one object; it appears when the block ends, and not at all if the block raises."""
    if _scheme(uri) == "file":
        with _staging(local_path(uri)) as staged, staged.open("wb") as file:
            yield file
        return
    store, key = _s3_store(uri)
    with obstore.open_writer(store, key) as writer:
        yield writer


def open_folder(uri: str) -> Reader:
    """Return a function that reads files below the folder ``uri``."""
    if _scheme(uri) == "file":
        root = local_path(uri)
        return lambda path, max_bytes=None, wanted=None: _read_file(root / path, max_bytes, wanted)
    store, prefix = _s3_store(uri)
    folder = f"{prefix}/" if prefix else ""
    return lambda path, max_bytes=None, wanted=None: _get(store, folder + path, max_bytes, wanted)


def list_folder(uri: str) -> Iterator[StoredFile]:
    """Yield every file below ``uri``, including hidden ones; links to folders are not followed.

    Raises:
        OrchardError: if there is no such folder, or a part of it cannot be listed.
    """
    if _scheme(uri) == "file":
        yield from _walk(local_path(uri))
        return
    store, prefix = _s3_store(uri)
    try:
        for page in store.list(prefix=f"{prefix}/" if prefix else None):
            for item in page:
                path = item["path"].removeprefix(f"{prefix}/")
                yield StoredFile(path, (item["e_tag"] or "").strip('"'), item["size"], item["last_modified"])
    except BaseError as error:
        raise _unlistable(uri, error) from error


def local_path(uri: str) -> Path:
    """Return the path that a ``file://`` URI names."""
    return Path(uri.removeprefix("file://"))


def _walk(root: Path) -> Iterator[StoredFile]:
    if not root.is_dir():
        raise OrchardError(f"folder {str(root)!r}", rule="it must exist", remedy="check the URI")
    for folder, _, names in os.walk(root, onerror=_raise_unlistable):
        for name in names:
            path = Path(folder) / name
            found = _stat_file(path)
            if found:
                modified = datetime.fromtimestamp(found.st_mtime, UTC)
                etag = f"{found.st_mtime_ns:x}-{found.st_size:x}"
                yield StoredFile(path.relative_to(root).as_posix(), etag, found.st_size, modified)


def _raise_unlistable(error: OSError) -> None:
    raise _unlistable(str(error.filename), error)


def _unlistable(place: str, error: Exception) -> OrchardError:
    return OrchardError(
        f"cannot list {place} ({first_line(error)})",
        rule="every folder must be listed, or images would go missing unnoticed",
        remedy="fix it, or list the images another way and pass --manifest",
    )


def _stat_file(path: Path) -> os.stat_result | None:
    """Return the status of a file, or None for a pipe or device. A broken link becomes a rejected row."""
    try:
        found = path.stat()
    except OSError:
        found = path.lstat()
    return found if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode) else None


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    if not separator or scheme not in ("file", "s3"):
        raise OrchardError(
            f"URI {uri!r}", rule="it must be s3://bucket/key or file:///path", remedy="correct it"
        )
    return scheme


def _s3_store(uri: str) -> tuple[ObjectStore, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return _open_bucket(bucket, endpoint), key.rstrip("/")


@functools.cache
def _open_bucket(bucket: str, endpoint: str | None) -> ObjectStore:
    """Open a bucket once per process. The store keeps connections open and renews its credentials."""
    if endpoint:
        return S3Store(
            bucket, endpoint=endpoint, client_options={"allow_http": endpoint.startswith("http://")}
        )
    return S3Store(bucket, region=_find_region(bucket))


def _find_region(bucket: str) -> str:
    """Return the region. EMR does not set one on its nodes, and obstore would assume us-east-1."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return region or str(resolve_s3_region(bucket))


def _read_file(path: Path, max_bytes: int | None, wanted: Wanted | None) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        _validate_size(size, max_bytes)
        if wanted and size > HEAD and not wanted(head := file.read(HEAD)):
            return head
        file.seek(0)
        return file.read()


def _validate_size(size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise FileTooLargeError(f"{size} bytes; the limit is {max_bytes}")


def _get(store: ObjectStore, key: str, max_bytes: int | None, wanted: Wanted | None) -> bytes:
    with _as_os_error(key):
        found = store.get(key)
        _validate_size(found.meta["size"], max_bytes)
        if wanted and found.meta["size"] > HEAD:
            pieces = (bytes(piece) for piece in found.stream(HEAD))
            head = next(pieces, b"")
            return b"".join([head, *pieces]) if wanted(head) else head
        return bytes(found.bytes())


@contextmanager
def _as_os_error(key: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise FileNotFoundError(f"no object {key!r}") from error
    except PermissionDeniedError as error:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, Permissions
        why = "S3 answers 403 to both where the bucket may not be listed"
        raise PermissionError(f"{key!r} is missing or forbidden: {why}") from error
    except UnauthenticatedError as error:
        raise PermissionError(f"access denied to {key!r}") from error
    except (BaseError, ValueError) as error:
        # ValueError: a key that obstore cannot address (an empty segment, '..', a control character).
        raise OSError(f"cannot read {key!r}: {first_line(error)}") from error


def _replace_file(path: Path, data: bytes) -> None:
    with _staging(path) as staged:
        staged.write_bytes(data)


def _create_local(path: Path, data: bytes) -> bool:
    staged = _stage(path)
    try:
        with naming(str(path)):
            staged.write_bytes(data)
        _link(staged, path)
    except FileExistsError:
        return False
    finally:
        staged.unlink(missing_ok=True)
    return True


def _link(staged: Path, path: Path) -> None:
    try:
        os.link(staged, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the last writer's bytes stay
        staged.replace(path)


@contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """Yield a staging path, which replaces ``path`` when the block ends."""
    staged = _stage(path)
    try:
        with naming(str(path)):
            yield staged
            staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _stage(path: Path) -> Path:
    """Return a hidden, unique path, which readers of the folder ignore. Executors may share the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{uuid4().hex}")


class _ObjectFile(io.RawIOBase):
    """An object in S3 as an unbuffered Python file, because pyarrow reads exactly what it needs."""

    def __init__(self, store: ObjectStore, key: str, size: int) -> None:
        self._store, self._key, self._size, self._place = store, key, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._place)
        length = left if size < 0 else min(size, left)
        if not length:
            return b""
        with _as_os_error(self._key):
            data = bytes(self._store.get_range(self._key, start=self._place, length=length))
        self._place += len(data)
        return data
