"""A fit has the same bytes on every x86 machine and from every shell, or fails and says why."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from orchard_jobs import kernels
from orchard_jobs.basis import fit_basis
from orchard_jobs.errors import OrchardError
from orchard_jobs.statistics import Statistics
from tests.jobs.conftest import JOBS_ENVIRONMENT

COMPONENTS = 8

BASIS_ID = "739be12b4b2a"
"""On every x86 machine, with the NumPy that is locked: another one's OpenBLAS may have other kernels."""

LOAD_A_JOB = "import orchard_jobs.cli"
FIT = """
import sys
import numpy as np
from orchard_jobs.basis import fit_basis
from orchard_jobs.errors import OrchardError
from orchard_jobs.statistics import Statistics
try:
    print(fit_basis(Statistics.of(np.load(sys.argv[1])), components=8).id)
except OrchardError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features in a file: as many columns as OpenBLAS computes in blocks and on threads."""
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    # Uniform, so of the same bits everywhere: what is drawn by logarithms may follow the CPU.
    np.save(path, 6 * np.random.default_rng(11).random((600, 300), np.float32) ** 2)
    return path


def fit_in_shell(program: str, rows: Path, **caller: str) -> str:
    """Return the id of the basis that a new process fits whose caller has set these variables."""
    inherited = {name: value for name, value in os.environ.items() if name not in kernels.blas_variables()}
    done = subprocess.run(
        [sys.executable, "-c", program, str(rows)],
        env={**inherited, **JOBS_ENVIRONMENT, **caller},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "caller",
    [
        {},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "SkylakeX"},  # crashes a CPU that has no AVX-512
        {"OPENBLAS_CORETYPE": "Zen"},
        {"OPENBLAS_CORETYPE": "Sandybridge", "OPENBLAS_L2_SIZE": "1024"},
        {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_L2_SIZE": "4096"},
        {"OPENBLAS_L2_SIZE": "128"},
        {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "2"},
        {"OPENBLAS_NUM_THREADS": "2"},
        {"GOTO_NUM_THREADS": "2", "OPENBLAS_DEFAULT_NUM_THREADS": "2"},
    ],
    ids=lambda caller: ",".join(f"{name}={value}" for name, value in caller.items()) or "nothing",
)
def test_a_basis_has_the_same_bytes_whatever_the_callers_environment_says(
    rows: Path, caller: dict[str, str]
) -> None:
    assert fit_in_shell(f"{LOAD_A_JOB}\n{FIT}", rows, **caller) == BASIS_ID


def test_a_fit_in_the_process_of_a_test_has_them_too(rows: Path) -> None:
    assert fit_basis(Statistics.of(np.load(rows)), components=COMPONENTS).id == BASIS_ID


def test_a_process_that_loaded_numpy_first_is_told_so(rows: Path) -> None:
    told = fit_in_shell(f"import numpy\n{LOAD_A_JOB}\n{FIT}", rows, OPENBLAS_CORETYPE="Sandybridge")
    assert told.startswith("OpenBLAS with kernels for Sandybridge, on threads: ")
    assert told.endswith(
        ": a basis is fitted by those for Haswell, on one, so that every machine gets the same. "
        "import orchard_jobs.cli before NumPy, with NumPy's own wheel."
    )


def test_a_process_on_several_threads_is_told_so(rows: Path) -> None:
    threads = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"}
    told = fit_in_shell(FIT, rows, **threads)
    assert told.startswith("OpenBLAS with kernels for Haswell, on threads: 2: ")


@pytest.fixture
def without_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "read_cpu_flags", lambda: frozenset({"sse4_2", "avx"}))


@pytest.mark.usefixtures("without_avx2")
def test_a_cpu_without_avx2_is_one_clear_error_and_no_crash(rows: Path) -> None:
    assert kernels.blas_variables() == kernels.ONE_THREAD
    with pytest.raises(OrchardError) as caught:
        fit_basis(Statistics.of(np.load(rows)), components=COMPONENTS)
    assert str(caught.value) == (
        "a CPU without avx2 and fma: a basis is fitted by OpenBLAS's kernels for Haswell, so that every "
        "machine gets the same. use a machine whose CPU has AVX2: Intel's servers have since 2014, AMD's "
        "since 2017."
    )


@pytest.mark.usefixtures("without_avx2")
def test_an_arm_machine_fits_with_its_own_kernels(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels.platform, "machine", lambda: "aarch64")
    assert kernels.blas_variables() == kernels.ONE_THREAD
    assert fit_basis(Statistics.of(np.load(rows)), components=COMPONENTS).k == COMPONENTS


@pytest.mark.parametrize(
    ("cpuinfo", "flags"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 fma\n\nprocessor\t: 1\n", {"fpu", "avx2", "fma"}),
        ("processor\t: 0\nFeatures\t: fp asimd\n", set()),  # arm64
        (None, set()),  # no Linux
    ],
)
def test_what_a_cpu_can_is_read_from_the_kernel(
    cpuinfo: str | None, flags: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo)
    monkeypatch.setattr(kernels, "CPUINFO", path)
    assert kernels.read_cpu_flags.__wrapped__() == flags
