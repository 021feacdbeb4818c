"""One artefact, one folder of images, one local EMR and one Airflow for all scenarios; a lake for each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_airflow.airflow_env import serving_at
from local_emr.authentication import Endpoint
from local_emr.launcher import running_emr
from tests.support.airflow.server import Airflow, ScheduledRun, Trigger
from tests.support.checkout import ROOT
from tests.support.local_emr_client import point_to
from tests.support.ports import free_port
from tests.support.run_inputs import draw_images, package_code
from tests.system.faults.checks import Reference
from tests.system.faults.node import Node, running_node
from tests.system.faults.scenario import Scenario
from tests.system.faults.scenario_airflow import running_airflow

NODE_ENV = ROOT / ".venv-node"
NEVER = "0 0 29 2 *"  # no scenario is started by the clock
SCHEDULED = {"ORCHARD_POLL_INTERVAL": serving_at(0)["ORCHARD_POLL_INTERVAL"]}
IDLE_SPEEDUP = 60  # a minute of EMR's idle timeout is a second


@pytest.fixture(scope="session")
def model(untrained_model: Path) -> str:
    """URI of an artefact with untrained weights."""
    return f"file://{untrained_model}"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn images of three classes. Every scenario reads these same files; none changes them."""
    folder = tmp_path_factory.mktemp("images")
    draw_images(folder, per_class=8)
    (folder / "broken.jpg").write_bytes(b"no image")  # so that rejects.csv has a row
    return folder


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make package` makes."""
    folder = tmp_path_factory.mktemp("code")
    package_code(folder)
    return folder


@pytest.fixture(scope="session")
def node(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(NODE_ENV, code, tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture(scope="session")
def emr(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The endpoint of the local EMR, which AWS's clients find."""
    folder = tmp_path_factory.mktemp("emr")
    options = ["--speedup", str(IDLE_SPEEDUP), "--cores", "2", "--stop-grace-seconds", "2"]
    with (
        running_emr(node.python, folder / "work", log_file=folder / "log", options=options) as endpoint,
        pytest.MonkeyPatch.context() as patch,
    ):
        point_to(endpoint, patch)
        yield endpoint


@pytest.fixture(scope="session")
def base_environ(model: str, images: Path, code: Path, emr: Endpoint) -> dict[str, str]:
    """Settings of every scenario, but for its lake."""
    return {
        "ORCHARD_MODEL": model,
        "ORCHARD_IMAGES": f"file://{images}",
        "ORCHARD_CODE": f"file://{code}",
        "ORCHARD_NODE_ENV": str(NODE_ENV),
        "ORCHARD_BOOTSTRAP_ARGS": "--with-tensorflow",
        "ORCHARD_CRON": NEVER,
        "ORCHARD_COMPONENTS": "5",
        "ORCHARD_DRIVER_MEMORY": "1g",
        "ORCHARD_SENSE_TIMEOUT": "0",
        "ORCHARD_POLL_INTERVAL": "1",
        "ORCHARD_LOG_TIMEOUT": "5",
        "ORCHARD_RETRIES": "0",
        "ORCHARD_RETRY_DELAY": "1",
        "ORCHARD_IDLE_TIMEOUT": str(600 * IDLE_SPEEDUP),
    }


@pytest.fixture(scope="session")
def reference(
    airflow_db: None,
    base_environ: dict[str, str],
    node: Node,
    tmp_path_factory: pytest.TempPathFactory,
) -> Reference:
    """What a run publishes that nothing disturbs, with Spark's own spark-submit."""
    undisturbed = Scenario("undisturbed", tmp_path_factory.mktemp("undisturbed"), base_environ, node)
    for job in ("featurize", "reduce", "export"):
        undisturbed.spark(job, how="real")
    dag_run = undisturbed.run()
    assert str(dag_run.state) == "success"
    return Reference.of(undisturbed)


@pytest.fixture(scope="session")
def scenarios(
    tmp_path_factory: pytest.TempPathFactory, base_environ: dict[str, str], node: Node
) -> "Scenarios":
    return Scenarios(tmp_path_factory.mktemp("scenarios"), base_environ, node)


@pytest.fixture
def scenario(
    request: pytest.FixtureRequest, scenarios: "Scenarios", reference: Reference
) -> Iterator[Scenario]:
    """The scenario of one test, with a lake of its own; whatever of it still runs afterwards is ended."""
    with scenarios.of(request.node, reference) as scenario:
        yield scenario
    request.node.user_properties.append(("proved", scenario.proved))


@pytest.fixture(scope="session")
def airflow(
    request: pytest.FixtureRequest,
    scenarios: "Scenarios",
    emr: Endpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    """Airflow's processes, with a DAG for every test that asks for them."""
    tests = [item for item in request.session.items if "airflow" in getattr(item, "fixturenames", ())]
    dags = {scenarios.of(test).name: scenarios.dag_of(test) for test in tests}
    with running_airflow(tmp_path_factory.mktemp("airflow"), emr, dags, free_port()) as airflow:
        yield airflow


@pytest.fixture
def scheduled(airflow: Airflow, scenario: Scenario) -> Trigger:
    """Trigger the scenario's DAG on that Airflow."""
    return lambda: ScheduledRun.trigger(airflow, scenario.name)


@dataclass(frozen=True)
class Scenarios:
    """Which scenario is whose."""

    folder: Path
    base: dict[str, str]
    node: Node

    def of(self, test: pytest.Item, reference: Reference | None = None) -> Scenario:
        name = re.sub(r"[^\w.-]+", "-", test.name).strip("-")
        (self.folder / name).mkdir(exist_ok=True)
        marker = test.get_closest_marker("settings")
        environ = {**self.base, **(marker.kwargs if marker else {})}
        return Scenario(name, self.folder / name, environ, self.node, reference)

    def dag_of(self, test: pytest.Item) -> dict[str, Any]:
        marker = test.get_closest_marker("dag")
        environ = {**self.of(test).environ, **SCHEDULED}
        return {"environ": environ, "dag": marker.kwargs if marker else {}}
