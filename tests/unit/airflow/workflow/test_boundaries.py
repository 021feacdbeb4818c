"""Airflow's side imports nothing of Spark's but the contract; plugins import nothing of ours at all.

A trigger or an operator must not come from a DAG bundle, which the process that needs it may not have. The
pages are the exception: they are of ``dags/orchard``, which a plugin imports when the API server asks for
them. Where that has no DAGs, they are beside the plugin: ``test_pages_deployed.py``.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.checkout import ROOT

BLOCKED = """
import sys

class Blocked:
    names = {blocked!r}
    def find_spec(self, name, path=None, target=None):
        if any(name == blocked or name.startswith(blocked + ".") for blocked in self.names):
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocked())
sys.path[:0] = {path!r}
import {module}
allowed = {allowed!r}
ours = [name for name in sys.modules if name.split(".")[0] in ("orchard", "orchard_jobs", "local")]
print([name for name in ours if not any(name == a or name.startswith(a + ".") for a in allowed)])
"""
CONTRACT = [f"orchard_jobs.{name}" for name in ("contract", "run_folder", "argv", "escaping", "errors")]
SPARK_SIDE = ["pyspark", "tensorflow", "openvino", "PIL", "obstore"]


def foreign_modules(modules: str, folders: list[str], blocked: list[str], allowed: list[str]) -> str:
    """Import ``modules`` in a fresh process; return which modules of ours it loaded beside ``allowed``."""
    path = [str(ROOT / folder) for folder in folders]
    code = BLOCKED.format(blocked=blocked, path=path, module=modules, allowed=allowed)
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, cwd="/", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def modules_in(folder: str) -> list[Path]:
    """Return the paths of the modules in a folder, from there."""
    return [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.py")]


def test_the_dag_imports_only_the_contract_of_the_jobs() -> None:
    allowed = ["orchard", *CONTRACT]
    foreign = foreign_modules(
        "orchard_features, orchard_sweeper", ["dags", "plugins", "spark_jobs"], SPARK_SIDE, allowed
    )
    assert foreign == "['orchard_jobs']"  # the package's own, empty __init__


def test_plugins_import_nothing_of_ours_but_plugins() -> None:
    names = (".".join(path.with_suffix("").parts) for path in modules_in("plugins"))
    modules = ", ".join(sorted(name.removesuffix(".__init__") for name in names))
    assert foreign_modules(modules, ["plugins"], [*SPARK_SIDE, "orchard", "orchard_jobs"], []) == "[]"


def test_the_questions_to_emr_need_no_airflow() -> None:
    """Who asks EMR without Airflow, such as a command line, does not wait seconds for an import."""
    blocked = [*SPARK_SIDE, "airflow", "boto3", "botocore"]
    assert foreign_modules("orchard_airflow.emr_api", ["plugins"], blocked, []) == "[]"


def test_the_pages_need_nothing_of_the_jobs_but_the_contract_and_no_library_of_reports() -> None:
    allowed = ["orchard", *CONTRACT]
    blocked = [*SPARK_SIDE, "numpy", "pyarrow", "vl_convert", "orchard.report.page.render"]
    assert (
        foreign_modules("orchard.pages.app", ["dags", "spark_jobs"], blocked, allowed) == "['orchard_jobs']"
    )


def test_plugins_shadow_no_module() -> None:
    plugins, dags = ({path.parts[0] for path in modules_in(folder)} for folder in ("plugins", "dags"))
    names = {name.removesuffix(".py") for name in plugins}
    assert all(name.startswith("orchard_") for name in names)
    assert names & {name.removesuffix(".py") for name in dags} == set()


def test_no_module_but_the_contract_is_imported_from_the_jobs() -> None:
    imports = {
        line.split()[1]
        for path in (ROOT / "dags").rglob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("from orchard_jobs", "import orchard_jobs"))
    }
    assert imports <= {*CONTRACT}
