"""Pins the kernels of OpenBLAS and OpenVINO. By default they depend on the CPU, and so do the last bits.

Both libraries read their variables only when they load, so this module imports neither.
"""

import ctypes
import platform
import sys
from collections.abc import Set
from functools import cache
from pathlib import Path

from orchard_jobs.errors import OrchardError

CPUINFO = Path("/proc/cpuinfo")

ONE_THREAD = {
    # OpenBLAS reads these in this order, with GOTO_NUM_THREADS between the two.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
HASWELL = {
    "OPENBLAS_CORETYPE": "Haswell",
    # Haswell's cache, in KiB. Its own kernels ignore the variable, but other CPUs' kernels size blocks by it.
    "OPENBLAS_L2_SIZE": "256",
}
NEEDED_FLAGS = frozenset({"avx2", "fma"})
"""CPU flags in /proc/cpuinfo that Haswell's kernels require."""

OPENVINO_AVX2 = {
    # oneDNN reads the first, OpenVINO's own kernels the second. If they differ, some graph nodes give other
    # results: https://github.com/openvinotoolkit/openvino/pull/38189
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OV_CPU_MAX_ISA": "AVX2",
}


def blas_variables() -> dict[str, str]:
    """Return the variables, to set before NumPy loads, with which all x86 machines fit the same bytes.

    Other machines, and CPUs on which Haswell's kernels would crash, use their own kernels on one thread.
    """
    return {**ONE_THREAD, **(HASWELL if is_x86() and find_missing_flags() == set() else {})}


def require_pinned_blas() -> None:
    """Check that OpenBLAS uses Haswell's kernels on one thread. Only x86 machines are checked.

    Raises:
        OrchardError: if the CPU cannot run them, or NumPy was loaded before the variables were set.
    """
    if not is_x86():
        return
    require_avx2("a basis is fitted with OpenBLAS's Haswell kernels, so that every machine gets the same")
    kernel, threads = find_loaded_blas()
    if (kernel, threads) != (HASWELL["OPENBLAS_CORETYPE"], 1):
        raise OrchardError(
            f"OpenBLAS with {kernel} kernels and {threads} thread(s)",
            rule="a basis is fitted with Haswell kernels and one thread, so that every machine gets the same",
            remedy="import orchard_jobs.cli before NumPy, with NumPy's own wheel",
        )


def require_avx2(rule: str) -> None:
    """Check that the CPU has AVX2, and FMA, which comes with it.

    Raises:
        OrchardError: if not, with ``rule`` as the reason.
    """
    missing = find_missing_flags()
    if missing:
        raise OrchardError(
            f"a CPU without {' and '.join(sorted(missing))}",
            rule=rule,
            remedy="use a machine whose CPU has AVX2: Intel's servers have since 2014, AMD's since 2017",
        )


def is_x86() -> bool:
    """Return whether this is Linux on x86-64, the only platform with guaranteed bytes."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def find_missing_flags() -> Set[str]:
    """Return the NEEDED_FLAGS that the CPU lacks."""
    return NEEDED_FLAGS - read_cpu_flags()


@cache
def read_cpu_flags() -> frozenset[str]:
    """Return Linux's flags of an x86 CPU; none for any other."""
    found = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    for line in found.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return frozenset(flags.split())
    return frozenset()


def find_loaded_blas() -> tuple[str, int]:
    """Return the kernels and number of threads of the OpenBLAS that NumPy has loaded.

    For another BLAS, return ``unknown`` and 0.
    """
    from numpy.linalg import _umath_linalg  # noqa: PLC0415 - loads OpenBLAS

    library = ctypes.CDLL(_umath_linalg.__file__)  # also resolves symbols of linked libraries
    try:
        kernel, threads = library.scipy_openblas_get_corename64_, library.scipy_openblas_get_num_threads64_
    except AttributeError:
        return "unknown", 0
    kernel.restype = ctypes.c_char_p
    return kernel().decode(), threads()
