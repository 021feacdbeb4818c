"""Each side imports what is its own: a node has no Airflow, and the contract needs nothing at all."""

import subprocess
import sys

import pytest

from tests.support.checkout import ROOT
from tests.support.jobs.spark_session import JOBS_ENVIRONMENT

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
"""
SOURCES = ROOT / "spark_jobs"
JOB_MODULES = sorted(
    ".".join(path.relative_to(SOURCES).with_suffix("").parts)
    for path in SOURCES.glob("orchard_jobs/**/[a-z]*.py")
)


def import_without(blocked: set[str], *modules: str) -> subprocess.CompletedProcess[str]:
    program = BLOCK.format(blocked=blocked) + "\n".join(f"import {module}" for module in modules)
    return subprocess.run(
        [sys.executable, "-c", program], env=JOBS_ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_the_jobs_import_no_airflow_no_boto_and_no_tensorflow() -> None:
    done = import_without(
        {"airflow", "boto3", "botocore", "tensorflow", "keras"},
        *JOB_MODULES,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["contract", "run_folder", "argv", "escaping", "errors"])
def test_what_airflow_imports_of_the_jobs_needs_the_standard_library_only(module: str) -> None:
    third_party = {
        "numpy",
        "pyarrow",
        "pyspark",
        "openvino",
        "obstore",
        "PIL",
        "pandas",
        "tensorflow",
        "keras",
    }
    done = import_without(third_party, f"orchard_jobs.{module}")
    assert done.returncode == 0, done.stderr
