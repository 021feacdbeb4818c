"""Files as objects of the lake."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from orchard.lake.objects import ABSENT, Stored, Versioned, changed, local_path


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


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
