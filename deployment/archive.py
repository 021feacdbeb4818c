"""Reproducible zip archives, whose files anyone may read once unpacked."""

import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from bootstrap.package import EPOCH

FILE_MODE = stat.S_IFREG | 0o644
FOLDER_MODE = stat.S_IFDIR | 0o755
UNIX = 3
"""The system that made the archive; otherwise unzip ignores the modes."""


def zip_files(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of files, by path, with the folders that they are in.

    ``ZipInfo`` alone gives files mode 0600, and unzip makes a folder that has no entry as its umask wants it:
    what root unpacks so, Airflow's user could not read.
    """
    folders = {folder for path in files for folder in PurePosixPath(path).parents} - {PurePosixPath()}
    entries = {**{f"{folder}/": b"" for folder in folders}, **files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in sorted(entries.items()):
            archive.writestr(_entry(path), data)
    return buffer.getvalue()


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, EPOCH)
    entry.create_system = UNIX
    entry.external_attr = (FOLDER_MODE if entry.is_dir() else FILE_MODE) << 16
    return entry
