"""What a result depends on besides the code: cores, CPU flags and versions. No paths, no names."""

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
PACKAGES = ("numpy", "obstore", "openvino", "pandas", "pillow", "pyarrow", "pyspark", "tensorflow")
BOOTSTRAP = Path(__file__).resolve().parent.parent / "bootstrap"


def describe_machine(cores: int) -> dict[str, object]:
    return {
        "cores": cores,
        "architecture": platform.machine(),
        "cpu_flags": find_cpu_flags(),
        "system": platform.system(),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def find_cpu_flags() -> list[str]:
    """Those of FLAGS that the CPU has; none where Linux does not tell them."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return [flag for flag in FLAGS if found and flag in found.group(1).split()]


def has_fast_bfloat16() -> bool:
    return bool({"amx_bf16", "avx512_bf16", "bf16"} & set(find_cpu_flags()))


def load_average() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Let what is started within the block use ``count`` of the cores; no limit where the system has none."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(usable)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


def measure_node() -> dict[str, float]:
    """Bytes of the packages that the bootstrap script installs, as installed here."""
    return {
        "node bytes": _installed_bytes(BOOTSTRAP / "requirements.txt"),
        "node bytes with TensorFlow": _installed_bytes(BOOTSTRAP / "requirements-tensorflow.txt"),
    }


def _installed_bytes(requirements: Path) -> float:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", requirements.read_text(), re.MULTILINE)
    return float(sum(_package_bytes(name) for name in names))


def _package_bytes(name: str) -> int:
    """Zero for what is not for this platform."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())
