"""Which kernels OpenBLAS and OpenVINO compute with: they would choose by CPU, and with that the last bits.

Both read their variables as they load, and ask nobody again. So this module imports neither.
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
    # OpenBLAS asks in this order, and for GOTO_NUM_THREADS between the two.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
HASWELL = {
    "OPENBLAS_CORETYPE": "Haswell",
    # Of Haswell, in KiB. Its own kernels do not ask, but those of other CPUs cut their blocks by it.
    "OPENBLAS_L2_SIZE": "256",
}
NEEDED_FLAGS = frozenset({"avx2", "fma"})
"""What Haswell's kernels are made of, as /proc/cpuinfo calls it."""

OPENVINO_AVX2 = {
    # oneDNN reads the first, OpenVINO's own kernels the second. Where they differ, some nodes compute
    # something else: https://github.com/openvinotoolkit/openvino/pull/38189
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OV_CPU_MAX_ISA": "AVX2",
}


def blas_variables() -> dict[str, str]:
    """Return the variables under which every x86 machine fits the same bytes, for before NumPy loads.

    Other machines, and a CPU that Haswell's kernels would crash, get their own kernels, on one thread.
    """
    return {**ONE_THREAD, **(HASWELL if is_x86() and find_missing_flags() == set() else {})}


def require_pinned_blas() -> None:
    """Refuse to compute what is published with other kernels than Haswell's, or on several threads.

    Only an x86 machine is asked.

    Raises:
        OrchardError: where the CPU cannot run them, or NumPy was loaded before the variables were set.
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
    """Refuse a CPU without AVX2, and FMA, which comes with it.

    Raises:
        OrchardError: gives ``rule`` as the reason.
    """
    missing = find_missing_flags()
    if missing:
        raise OrchardError(
            f"a CPU without {' and '.join(sorted(missing))}",
            rule=rule,
            remedy="use a machine whose CPU has AVX2: Intel's servers have since 2014, AMD's since 2017",
        )


def is_x86() -> bool:
    """Say whether this is Linux on x86-64, of which alone the bytes are promised."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def find_missing_flags() -> Set[str]:
    """Return those of NEEDED_FLAGS that the CPU does not have."""
    return NEEDED_FLAGS - read_cpu_flags()


@cache
def read_cpu_flags() -> frozenset[str]:
    """Return what an x86 CPU can, as Linux calls it; of any other nothing."""
    found = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    for line in found.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return frozenset(flags.split())
    return frozenset()


def find_loaded_blas() -> tuple[str, int]:
    """Return what the OpenBLAS that NumPy has loaded computes with: kernels, and number of threads.

    Of another BLAS it says ``unknown`` and 0.
    """
    from numpy.linalg import _umath_linalg  # noqa: PLC0415 - loads OpenBLAS

    library = ctypes.CDLL(_umath_linalg.__file__)  # through it the symbols of what it is linked with
    try:
        kernel, threads = library.scipy_openblas_get_corename64_, library.scipy_openblas_get_num_threads64_
    except AttributeError:
        return "unknown", 0
    kernel.restype = ctypes.c_char_p
    return kernel().decode(), threads()
