"""A fit, and features if asked for, have the same bytes on every x86 machine and from every shell."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from orchard_jobs import kernels
from orchard_jobs.contract import InstructionSet, Precision, Runtime
from orchard_jobs.errors import OrchardError
from orchard_jobs.models.runtimes import load_model
from orchard_jobs.pca.basis import fit_basis
from orchard_jobs.pca.statistics import Statistics
from tests.support.jobs.spark_session import JOBS_ENVIRONMENT

COMPONENTS = 8
KERNELS = """
import sys
from orchard_jobs.contract import InstructionSet, Precision, Runtime
from orchard_jobs.errors import OrchardError
from orchard_jobs.models.runtimes import load_model
try:
    model = load_model(sys.argv[1], Runtime.OPENVINO, Precision.FLOAT32, 1, InstructionSet.AVX2)
    print(*sorted(model.find_kernels()))
except OrchardError as error:
    print(error)
"""

BASIS_ID = "739be12b4b2a"
"""On every x86 machine, with the NumPy that is locked: another one's OpenBLAS may have other kernels."""

LOAD_A_JOB = "import orchard_jobs.cli"
FIT = """
import sys
import numpy as np
from orchard_jobs.pca.basis import fit_basis
from orchard_jobs.errors import OrchardError
from orchard_jobs.pca.statistics import Statistics
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


def run_in_shell(program: str, argument: object, **caller: str) -> str:
    """Return what a new process prints whose caller has set these variables."""
    inherited = {name: value for name, value in os.environ.items() if name not in kernels.blas_variables()}
    done = subprocess.run(
        [sys.executable, "-c", program, str(argument)],
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
    assert run_in_shell(f"{LOAD_A_JOB}\n{FIT}", rows, **caller) == BASIS_ID


def test_a_fit_in_the_process_of_a_test_has_them_too(rows: Path) -> None:
    assert fit_basis(Statistics.of(np.load(rows)), components=COMPONENTS).id == BASIS_ID


def test_a_process_that_loaded_numpy_first_is_told_so(rows: Path) -> None:
    told = run_in_shell(f"import numpy\n{LOAD_A_JOB}\n{FIT}", rows, OPENBLAS_CORETYPE="Sandybridge")
    assert told.startswith("OpenBLAS with Sandybridge kernels and ")
    assert told.endswith(
        " thread(s): a basis is fitted with Haswell kernels and one thread, so that every machine gets the "
        "same. Import orchard_jobs.cli before NumPy, with NumPy's own wheel."
    )


def test_a_process_on_several_threads_is_told_so(rows: Path) -> None:
    threads = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"}
    told = run_in_shell(FIT, rows, **threads)
    assert told.startswith("OpenBLAS with Haswell kernels and 2 thread(s): ")


@pytest.fixture
def without_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "read_cpu_flags", lambda: frozenset({"sse4_2", "avx"}))


@pytest.mark.usefixtures("without_avx2")
def test_a_cpu_without_avx2_is_one_clear_error_and_no_crash(rows: Path) -> None:
    assert kernels.blas_variables() == kernels.ONE_THREAD
    with pytest.raises(OrchardError) as caught:
        fit_basis(Statistics.of(np.load(rows)), components=COMPONENTS)
    assert str(caught.value) == (
        "a CPU without avx2 and fma: a basis is fitted with OpenBLAS's Haswell kernels, so that every "
        "machine gets the same. Use a machine whose CPU has AVX2: Intel's servers have since 2014, AMD's "
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


@pytest.mark.parametrize("caller", [{}, {"ONEDNN_MAX_CPU_ISA": "SSE41"}, {"OV_CPU_MAX_ISA": "SSE41"}])
def test_openvino_computes_by_avx2_alone_where_it_is_asked_to(model_uri: str, caller: dict[str, str]) -> None:
    found = run_in_shell(KERNELS, model_uri, **caller).split()
    assert "brgconv_avx2_1x1_f32" in found
    assert [name for name in found if "avx512" in name or "sse" in name] == []


def test_a_process_in_which_openvino_is_to_use_something_else_already_is_told_so(model_uri: str) -> None:
    """By less than AVX2, which every CPU of a test can; more would be told just so."""
    caller = {"ONEDNN_MAX_CPU_ISA": "SSE41", "OV_CPU_MAX_ISA": "SSE41"}
    earlier = "import openvino; openvino.Core().get_property('CPU', 'FULL_DEVICE_NAME')"
    told = run_in_shell(f"{earlier}\n{KERNELS}", model_uri, **caller)
    assert told.startswith("OpenVINO with jit_sse42_")
    assert "--instruction-set=avx2 allows only AVX2, which OpenVINO fixes when it is imported. " in told


@pytest.mark.usefixtures("without_avx2")
def test_an_inference_by_avx2_is_refused_by_a_cpu_without_it(model_uri: str) -> None:
    with pytest.raises(OrchardError, match="a CPU without avx2 and fma: --instruction-set=avx2 is for feat"):
        load_model(model_uri, Runtime.OPENVINO, Precision.FLOAT32, 1, InstructionSet.AVX2)
