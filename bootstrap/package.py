"""Collects the files that a cluster needs into one folder: ``python bootstrap/package.py build``.

The folder is the *code URI* of local runs; ``make deploy`` uploads the same files, taken from a git revision.
The zip is byte-identical for identical sources on every machine.
"""

import io
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
SOURCES = "spark_jobs/"
JOBS = "spark_jobs/orchard_jobs/"
LOOSE_FILES = (
    "spark_jobs/run.py",
    "bootstrap/install_node.sh",
    "bootstrap/requirements.txt",
    "bootstrap/requirements-tensorflow.txt",
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can store


def main(folder: Path) -> None:
    """Write ``run.py``, ``orchard_jobs.zip`` and the bootstrap files into ``folder``."""
    jobs = [path.relative_to(ROOT).as_posix() for path in (ROOT / JOBS).rglob("*.py")]
    files = {path: (ROOT / path).read_bytes() for path in [*LOOSE_FILES, *jobs]}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in code_files(files).items():
        _replace(folder / name, data)


def code_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that a cluster needs, by name.

    Args:
        files: The project's files, by path.
    """
    return {
        **{PurePosixPath(path).name: files[path] for path in LOOSE_FILES},
        "orchard_jobs.zip": zip_jobs(files),
    }


def zip_jobs(files: Mapping[str, bytes]) -> bytes:
    """Return the jobs' package as a zip for --py-files."""
    buffer = io.BytesIO()
    # Not compressed: deflate's output differs between zlib versions.
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(files):
            if path.startswith(JOBS) and path.endswith(".py"):
                archive.writestr(zipfile.ZipInfo(path.removeprefix(SOURCES), EPOCH), files[path])
    return buffer.getvalue()


def _replace(path: Path, data: bytes) -> None:
    """Replace a file atomically: a step that is starting must not read half of it."""
    if path.exists() and path.read_bytes() == data:
        return
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.write_bytes(data)
    staged.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
