"""Collects what a cluster needs into one folder: ``python bootstrap/package.py build``.

The folder is the *code URI* of the settings: as it is for local runs, or copied to S3 with
``aws s3 sync build s3://<bucket>/orchard``. The zip is byte-identical for identical sources.
"""

import io
import os
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "spark_jobs"
LOOSE_FILES = (
    SOURCES / "run.py",
    ROOT / "bootstrap" / "install_node.sh",
    ROOT / "bootstrap" / "requirements.txt",
    ROOT / "bootstrap" / "requirements-tensorflow.txt",
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can hold


def main(folder: Path) -> None:
    """Write ``run.py``, ``orchard_jobs.zip`` and the bootstrap files into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in LOOSE_FILES:
        _replace(folder / path.name, path.read_bytes())
    _replace(folder / "orchard_jobs.zip", zip_jobs())


def zip_jobs() -> bytes:
    """Return the package of the jobs as a zip for --py-files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted((SOURCES / "orchard_jobs").rglob("*.py")):
            entry = zipfile.ZipInfo(path.relative_to(SOURCES).as_posix(), EPOCH)
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _replace(path: Path, data: bytes) -> None:
    """Change a file at once: a step that is being started must not read half of it."""
    if path.exists() and path.read_bytes() == data:
        return
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.write_bytes(data)
    staged.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
