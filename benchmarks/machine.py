"""Describes the machine of a result: cores, CPU flags and versions, but no paths or names."""

import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
PACKAGES = (
    "numpy",
    "obstore",
    "openvino",
    "pandas",
    "pillow",
    "pyarrow",
    "pyspark",
    "simplejpeg",
    "tensorflow",
)
QUIET = 0.5  # busy cores at which a contender may start
LOUD = 0.7  # busy cores above which a measurement is disturbed
PATIENCE = 30.0  # seconds: after that, measure on a busy machine, and record it
LOOK_SECONDS = 0.5
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
    """Return the FLAGS that the CPU has; none on systems other than Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return [flag for flag in FLAGS if found and flag in found.group(1).split()]


def has_fast_bfloat16() -> bool:
    return bool({"amx_bf16", "avx512_bf16", "bf16"} & set(find_cpu_flags()))


def wait_until_quiet(most: float = QUIET, patience: float = PATIENCE) -> float | None:
    """Wait until at most ``most`` cores are busy, for at most ``patience`` seconds; return how many are.

    The load average would still contain the previous contender, because it takes minutes to fall. Cores that
    the host gives to other machines count as busy. None on systems other than Linux.
    """
    ends = time.monotonic() + patience
    while True:
        busy = count_busy_cores()
        if busy is None or busy <= most or time.monotonic() >= ends:
            return busy
        time.sleep(1.0)


def count_busy_cores() -> float | None:
    """Return how many cores are busy in the next LOOK_SECONDS."""
    before = _read_ticks()
    if before is None:
        return None
    time.sleep(LOOK_SECONDS)
    after = _read_ticks() or before
    return round((after - before) / os.sysconf("SC_CLK_TCK") / LOOK_SECONDS, 2)


def _read_ticks() -> int | None:
    """Return the busy ticks of all cores since boot, neither idle nor waiting for I/O: proc(5)."""
    try:
        line = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line.split()[1:9])
    return user + nice + system + irq + softirq + steal


@contextmanager
def limit_cores(count: int) -> Iterator[None]:
    """Limit processes started in the block to ``count`` cores, where the system supports that."""
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
    """Return the bytes of the packages that the bootstrap script installs, as installed here."""
    return {
        "node bytes": _installed_bytes(BOOTSTRAP / "requirements.txt"),
        "node bytes with TensorFlow": _installed_bytes(BOOTSTRAP / "requirements-tensorflow.txt"),
    }


def _installed_bytes(requirements: Path) -> float:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", requirements.read_text(), re.MULTILINE)
    return float(sum(_package_bytes(name) for name in names))


def _package_bytes(name: str) -> int:
    """Return the bytes of a package; zero if it is not for this platform."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())
