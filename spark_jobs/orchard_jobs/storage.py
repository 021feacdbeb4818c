"""Bytes at ``s3://`` and ``file://`` URIs, as the jobs read and write them.

A URI is ``scheme://`` and the plain path or key: nothing in it is percent-decoded, because Hadoop's
``Path`` does not decode either and both must name the same file.

S3 is read with obstore: one small GET costs it a fraction of the CPU that boto3 needs, and it
releases the GIL while it waits. Credentials and region come from the environment or the instance
profile.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, ObjectStore, S3Store

from orchard_jobs.errors import OrchardError


@dataclass(frozen=True)
class StoredFile:
    """One file of a listing. ``path`` is relative to the listed folder, ``size`` in bytes."""

    path: str
    etag: str
    size: int
    modified: datetime


class Sink(Protocol):
    """What takes the bytes of one object, in order."""

    def write(self, data: bytes, /) -> int: ...


Reader = Callable[[str], bytes]
"""Reads what a path relative to some folder names; raises OSError where it cannot."""


def read_bytes(uri: str) -> bytes:
    """Return the object at ``uri``.

    Raises:
        FileNotFoundError, PermissionError, OSError: as for a local file, on S3 too.
    """
    folder, _, name = uri.rpartition("/")
    return open_folder(folder)(name)


def write_bytes(uri: str, data: bytes) -> None:
    """Write one object whole: readers see the old bytes or the new ones."""
    if _scheme(uri) == "file":
        _replace_file(local_path(uri), data)
        return
    store, key = _s3_store(uri)
    store.put(key, data)


@contextmanager
def open_writer(uri: str) -> Iterator[Sink]:
    """Stream one object; it appears whole when the block ends, and not at all when it raises."""
    folder, _, name = uri.rpartition("/")
    is_local = _scheme(uri) == "file"
    store, key = (LocalStore(local_path(folder), mkdir=True), name) if is_local else _s3_store(uri)
    writer = obstore.open_writer(store, key)
    yield writer
    writer.close()  # only here does the object come into being: a block that raised never gets so far


def open_folder(uri: str) -> Reader:
    """Return a function that reads files below the folder ``uri``; threads may share it."""
    if _scheme(uri) == "file":
        root = local_path(uri)
        return lambda path: (root / path).read_bytes()
    store, prefix = _s3_store(uri)
    return lambda path: _get(store, f"{prefix}/{path}" if prefix else path)


def list_folder(uri: str) -> Iterator[StoredFile]:
    """Yield every file below ``uri``, hidden ones too; links to folders are not followed.

    Raises:
        OrchardError: where there is no such folder.
    """
    if _scheme(uri) == "file":
        yield from _walk(local_path(uri))
        return
    store, prefix = _s3_store(uri)
    for page in store.list(prefix=f"{prefix}/" if prefix else None):
        for item in page:
            path = item["path"].removeprefix(f"{prefix}/")
            yield StoredFile(path, (item["e_tag"] or "").strip('"'), item["size"], item["last_modified"])


def local_path(uri: str) -> Path:
    """Return the path that a ``file://`` URI names."""
    return Path(uri.removeprefix("file://"))


def _walk(root: Path) -> Iterator[StoredFile]:
    if not root.is_dir():
        raise OrchardError(f"folder {str(root)!r}", rule="it must exist", remedy="check the URI")
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            found = _stat_file(path)
            if found:
                modified = datetime.fromtimestamp(found.st_mtime, UTC)
                etag = f"{found.st_mtime_ns:x}-{found.st_size:x}"
                yield StoredFile(path.relative_to(root).as_posix(), etag, found.st_size, modified)


def _stat_file(path: Path) -> os.stat_result | None:
    """A broken link is listed too, so that it becomes a rejected row; a pipe or device never is."""
    try:
        found = path.stat()
    except OSError:
        found = path.lstat()
    return found if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode) else None


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    if not separator or scheme not in ("file", "s3"):
        raise OrchardError(
            f"URI {uri!r}", rule="URIs are s3://bucket/key or file:///path", remedy="correct it"
        )
    return scheme


def _s3_store(uri: str) -> tuple[ObjectStore, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        http = endpoint.startswith("http://")
        return S3Store(bucket, endpoint=endpoint, client_options={"allow_http": http}), key.rstrip("/")
    return S3Store(bucket), key.rstrip("/")


def _get(store: ObjectStore, key: str) -> bytes:
    try:
        return bytes(store.get(key).bytes())
    except (NotFoundError, FileNotFoundError) as error:
        raise FileNotFoundError(f"no object {key!r}") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise PermissionError(f"access denied to {key!r}") from error
    except (BaseError, ValueError) as error:
        # ValueError: a key that obstore cannot address (an empty segment, '..', a control character).
        raise OSError(f"cannot read {key!r}: {str(error).splitlines()[0]}") from error


def _replace_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.write_bytes(data)
    staged.replace(path)
