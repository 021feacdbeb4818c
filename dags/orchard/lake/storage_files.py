"""Files as objects of the lake.

Nodes write below ``runs/`` and ``logs/`` and could leave links there, so no link below a storage's root is
followed, neither to a file nor to a folder.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from orchard.lake.objects import ABSENT, Stored, Versioned, changed, local_path, refuse_large
from orchard_jobs.errors import OrchardError, naming

FOLDER = os.O_RDONLY | os.O_DIRECTORY
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # opening a pipe would block otherwise


class FileStorage:
    """Local files. A write goes to a hidden file beside its target, which is then renamed.

    Args:
        root: Links below it are not followed; links above it are the machine owner's business.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, uri: str, at_most: int | None = None) -> Versioned:
        with self.open(uri) as file:
            refuse_large(uri, os.fstat(file.fileno()).st_size, at_most)
            data = file.read()
        return Versioned(data, hashlib.sha256(data).hexdigest())

    def open(self, uri: str) -> BinaryIO:
        path = local_path(uri)
        with self._folder(path.parent) as folder, _rejecting_links(uri):
            descriptor = os.open(path.name, FILE, dir_fd=folder)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise _not_plain_file_error(uri)
        return file

    def write(self, uri: str, data: bytes) -> None:
        path = local_path(uri)
        staged = f".{path.name}.{uuid4().hex}"
        with self._folder(path.parent, create=True) as folder:
            # Not 0600: the jobs may run as a different user from Airflow.
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
            try:
                with naming(str(path)), os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(staged, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(staged, dir_fd=folder)
                raise

    def replace(self, uri: str, data: bytes, version: str) -> None:
        with self._folder(local_path(uri).parent, create=True) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if self._version(uri) != version:
                raise changed(uri)
            self.write(uri, data)

    def delete(self, uri: str) -> None:
        path = local_path(uri)
        with suppress(FileNotFoundError), self._folder(path.parent) as folder:
            os.unlink(path.name, dir_fd=folder)

    def delete_folder(self, uri: str) -> None:
        path = local_path(uri)
        with suppress(FileNotFoundError), self._folder(path.parent) as folder:
            if _is_link(path.name, folder):
                os.unlink(path.name, dir_fd=folder)
            else:
                shutil.rmtree(path.name, dir_fd=folder)

    def objects(self, uri: str) -> list[Stored]:
        with suppress(FileNotFoundError), self._folder(local_path(uri)) as root:
            return sorted(
                _describe(f"{folder}/{name}".removeprefix("./"), name, descriptor)
                for folder, _, names, descriptor in os.fwalk(".", dir_fd=root)
                for name in names
            )
        return []

    def folders(self, uri: str) -> list[str]:
        return sorted(entry.name for entry in self._entries(uri) if entry.is_dir(follow_symlinks=False))

    def names(self, uri: str) -> list[str]:
        files = (entry.name for entry in self._entries(uri) if entry.is_file(follow_symlinks=False))
        return sorted(name for name in files if not name.startswith("."))

    def _entries(self, uri: str) -> list[os.DirEntry[str]]:
        with (
            suppress(FileNotFoundError),
            self._folder(local_path(uri)) as folder,
            os.scandir(folder) as found,
        ):
            return list(found)
        return []

    def _version(self, uri: str) -> str:
        try:
            return self.read(uri).version
        except FileNotFoundError:
            return ABSENT

    @contextmanager
    def _folder(self, path: Path, *, create: bool = False) -> Iterator[int]:
        """Open a folder, level by level from the root.

        Raises:
            FileNotFoundError: if it does not exist.
            OrchardError: if it is not below the root, or reached through a link.
        """
        if not path.is_relative_to(self.root) or ".." in path.parts:
            raise OrchardError(
                f"file://{path}", rule=f"it must be below {self.root}", remedy="find out what wrote this URI"
            )
        if create:
            self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root, FOLDER)
        try:
            for name in path.relative_to(self.root).parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=descriptor)
                with _rejecting_links(f"file://{path}"):
                    inner = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _rejecting_links(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _not_plain_file_error(uri) from error
        raise


def _not_plain_file_error(uri: str) -> OrchardError:
    return OrchardError(
        f"{uri} is a link or not a regular file, or one of its folders is a link",
        rule="links in a lake are not followed, because nodes can write there",
        remedy="find out what created it, and delete it",
    )


def _describe(path: str, name: str, folder: int) -> Stored:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return Stored(path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def _is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
