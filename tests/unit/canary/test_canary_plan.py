"""What a canary asks for: the requests of a night, in places and with tags that the stack's roles allow."""

from typing import Any

import pytest

from canary.plan import Plan
from orchard.emr.job_flow import run_job_flow
from orchard.settings.settings import Settings
from orchard.workflow.sweeper import why_end
from tests.support.checkout import ROOT
from tests.unit.infra.iam import is_allowed
from tests.unit.infra.policies import airflow, node
from tests.unit.infra.stack import LAKE, REGION, Stack, account, deploy

NAME = "canary-20261127T105800-0a1b"


@pytest.fixture(scope="module")
def stack() -> Stack:
    with account():
        return deploy(AirflowRole="airflow")


@pytest.fixture
def plan(stack: Stack) -> Plan:
    environ = {**stack.environ, "ORCHARD_MODEL": f"s3://{LAKE}/models/4b8fe23a20cd"}
    return Plan(NAME, Settings.from_env({**environ, "ORCHARD_AWS_CONN_ID": "team"}), REGION, 900.0)


def test_its_request_is_that_of_a_night_with_the_tag_of_the_lake(plan: Plan) -> None:
    night = run_job_flow(plan.tags, 1, plan.settings)
    assert plan.request() == night
    tags = {tag["Key"]: tag["Value"] for tag in plan.request()["Tags"]}
    assert tags["orchard:dag"] == "orchard_canary"
    assert tags["orchard:run"] == NAME
    assert tags["orchard:lake"] == run_job_flow({**plan.tags}, 1, plan.settings)["Tags"][2]["Value"]


def test_the_idle_cluster_differs_in_its_idle_time_its_name_and_its_tag(plan: Plan) -> None:
    first, idle = plan.request(), plan.idle_request()
    changed = {key for key in first if first[key] != idle[key]}
    assert changed == {"Name", "Tags", "AutoTerminationPolicy"}
    assert idle["AutoTerminationPolicy"] == {"IdleTimeout": 60}
    assert "Steps" not in idle


def test_all_that_it_writes_is_below_a_folder_of_its_own(plan: Plan) -> None:
    places = plan.own.places
    assert plan.folder == f"s3://{LAKE}/runs/{NAME}"
    written = [places.lake, places.images, plan.lake.latest, plan.lake.ledger, plan.jobs.folder.uri]
    assert [uri for uri in written if not f"{uri}/".startswith(f"{plan.folder}/")] == []
    assert (places.code, places.logs) == (plan.settings.places.code, plan.settings.places.logs)


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject"])
def test_nodes_may_read_its_images_and_write_its_results_without_another_permission(
    action: str, plan: Plan, stack: Stack
) -> None:
    for uri in (f"{plan.own.places.images}/Apple/0.png", f"{plan.jobs.folder.features}/part-0.parquet"):
        assert is_allowed(node(stack), action, f"arn:aws:s3:::{uri.removeprefix('s3://')}", {})


def test_airflows_role_may_publish_it_without_another_permission(plan: Plan, stack: Stack) -> None:
    for uri in (plan.lake.latest, plan.lake.ledger_entry(plan.slug), plan.jobs.folder.run_json):
        assert is_allowed(airflow(stack), "s3:PutObject", f"arn:aws:s3:::{uri.removeprefix('s3://')}", {})


def test_nodes_may_not_write_its_run_json(plan: Plan, stack: Stack) -> None:
    arn = f"arn:aws:s3:::{plan.jobs.folder.run_json.removeprefix('s3://')}"
    assert not is_allowed(node(stack), "s3:PutObject", arn, {})


def test_it_asks_with_the_credentials_of_whoever_runs_it(plan: Plan) -> None:
    assert plan.own.access.aws_conn_id is None


def test_it_says_what_it_costs(plan: Plan) -> None:
    types = "m5.xlarge or m6i.xlarge or m7i.xlarge"
    said = f"Two clusters, one after the other, of 1 primary and 1 core node ({types}): about 22 minutes"
    assert plan.describe().startswith(said)
    assert f"at {REGION}'s list prices" in plan.describe()


def test_it_says_that_a_cost_is_unknown(plan: Plan) -> None:
    unpriced = Plan(NAME, plan.settings, "mars-north-1", 900.0)
    assert "cost unknown: no price for" in unpriced.describe()


@pytest.mark.parametrize("name", ["", "..", "canary-1", "manual__2026", f"{NAME}/.."])
def test_no_folder_of_another_name_is_ever_its_own(name: str, plan: Plan) -> None:
    with pytest.raises(ValueError, match="not the name of a canary"):
        Plan(name, plan.settings, REGION, 900.0)


def test_the_sweeper_leaves_it_alone_until_it_is_too_old(plan: Plan) -> None:
    from datetime import timedelta

    def is_active(*_: Any) -> bool:
        return False

    assert why_end(plan.tags, timedelta(hours=1), plan.settings.limits, is_active) is None
    assert why_end(plan.tags, timedelta(hours=13), plan.settings.limits, is_active) is not None


def test_the_guide_names_every_check() -> None:
    from canary.checks import CHECKS

    guide = (ROOT / "docs" / "how-to" / "canary.md").read_text()
    assert [check.name for check in CHECKS if f"`{check.name}`" not in guide] == []
