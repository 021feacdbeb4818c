"""The wheelhouse: every pinned package of a node, for its Python version and processor, verified by hash."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import Marker

from orchard_jobs.errors import OrchardError

PYTHON = "3.11"
"""What EMR's nodes have: https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-spark-releases.html"""

PROCESSORS = ("x86_64",)
"""Not aarch64: since 2025.3, OpenVINO's wheels require glibc 2.35 (https://pypi.org/project/openvino/#files)."""

GLIBC = range(17, 35)
"""Minor versions of glibc 2 that a wheel may require; EMR's nodes run Amazon Linux 2023 with 2.34."""

_COMPLETE = ".complete"


def collect_wheels(requirements: str, cache: Path) -> list[Path]:
    """Return the wheels of ``requirements``, pinned with hashes, each name once; download what is missing.

    Raises:
        OrchardError: if one cannot be downloaded, or does not match its hash.
    """
    wheels: dict[str, Path] = {}
    for processor in PROCESSORS:
        pins = "\n".join(pins_for(requirements, processor))
        folder = cache / f"{processor}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"
        if not (folder / _COMPLETE).exists():
            _download(pins, processor, folder)
        wheels |= {path.name: path for path in folder.glob("*.whl")}
    for path in wheels.values():
        _validate_digest(path, requirements)
    return [wheels[name] for name in sorted(wheels)]


def pins_for(requirements: str, processor: str) -> Iterator[str]:
    """Yield the pins that apply to such a node. pip would evaluate markers for its own Python."""
    node = {
        "python_version": PYTHON,
        "python_full_version": f"{PYTHON}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": processor,
    }
    for line in re.sub(r"\\\n", " ", requirements).splitlines():
        pin, _, hashes = line.partition(" --hash=")
        name, _, marker = pin.partition(";")
        if (
            name.strip()
            and not name.lstrip().startswith("#")
            and (not marker or Marker(marker).evaluate(node))
        ):
            yield " ".join(f"{name.strip()} --hash={hashes}".split())


def _download(pins: str, processor: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "requirements.txt"
    file.write_text(pins)
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in GLIBC] + [f"manylinux2014_{processor}"]
    command: list[str | Path] = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", file, "--dest", folder),
        *("--implementation", "cp", "--python-version", PYTHON),
        *(f"--platform={platform}" for platform in platforms),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise OrchardError(
            f"no wheels for Python {PYTHON} on {processor}",
            rule=said[:1000].rstrip("."),
            remedy="Every pin of bootstrap/requirements.txt needs a wheel and its hash: run `make lock`",
        )
    (folder / _COMPLETE).touch()


def _validate_digest(wheel: Path, requirements: str) -> None:
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if f"sha256:{found}" not in requirements:
        raise OrchardError(
            f"{wheel} has SHA-256 {found}, which bootstrap/requirements.txt does not pin",
            rule="a node would refuse it",
            remedy=f"Remove {wheel.parent}; it is downloaded again",
        )
