"""The sweeper ends what is ours and over, on the local EMR, and nothing else."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_emr.authentication import Endpoint
from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.settings.cluster import Limits
from orchard.settings.settings import Settings
from orchard.workflow.sweeper import why_end
from orchard_sweeper import build_sweeper
from tests.support.airflow.emr_operators import live
from tests.support.airflow.notification_servers import webhook
from tests.support.local_emr_client import control

TAGS = {"orchard:dag": "orchard_features", "orchard:run": "manual__2026-11-22T06:48:26+00:00"}
LIMITS = Limits(max_cluster_hours=12, sweep_grace=900)


# --- the decision


def ask(known: list[str]) -> Callable[[str, str], bool]:
    return lambda dag_id, run_id: f"{dag_id} {run_id}" in known


ACTIVE = ask(["orchard_features manual__2026-11-22T06:48:26+00:00"])
FINISHED = ask([])


@pytest.mark.parametrize(
    ("tags", "minutes", "is_active", "why"),
    [
        (TAGS, 16, ACTIVE, None),
        (TAGS, 16, FINISHED, "Airflow has no queued or running run manual__2026-11-22T06:48:26+00:00 of the"),
        (TAGS, 14, FINISHED, None),
        (TAGS, 12 * 60 + 6, ACTIVE, "it is 12.1 h old, the limit is 12 h"),
        ({"orchard:dag": "d", "orchard:run": "a=7E"}, 16, ask(["d a~"]), None),
        ({"orchard:dag": "another", "orchard:run": TAGS["orchard:run"]}, 16, ACTIVE, "Airflow has no"),
        ({"orchard:dag": "orchard_canary", "orchard:run": "canary-1"}, 11 * 60, FINISHED, None),
        ({"orchard:dag": "orchard_canary", "orchard:run": "canary-1"}, 13 * 60, FINISHED, "it is 13.0 h old"),
        ({"orchard:dag": "orchard_features"}, 11 * 60, FINISHED, None),
        ({"orchard:run": TAGS["orchard:run"]}, 11 * 60, FINISHED, None),
        ({"orchard:dag": "orchard_features"}, 24 * 60, FINISHED, "it is 24.0 h old, the limit is 12 h"),
        ({}, 24 * 60, FINISHED, "it is 24.0 h old, the limit is 12 h"),
    ],
)
def test_a_cluster_lives_while_its_run_does_but_not_for_ever(
    tags: dict[str, str], minutes: int, is_active: Any, why: str | None
) -> None:
    said = why_end(tags, timedelta(minutes=minutes), LIMITS, is_active)
    assert said is None if why is None else (said or "").startswith(why)


# --- the DAG


@pytest.fixture
def start(emr: Endpoint, client: Any, settings: Settings, environ: dict[str, str]) -> Iterator[Any]:
    """Return a function that starts a cluster of a run, with other tags or on another lake."""

    def start_cluster(
        run_id: str,
        dag_id: str = "orchard_features",
        lake: str = settings.places.lake,
        changed_tags: dict[str, str | None] | None = None,
    ) -> str:
        of_lake = Settings.from_env({**environ, "ORCHARD_LAKE": lake})
        request = run_job_flow(run_tags(dag_id, run_id, of_lake), 1, of_lake)
        tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]} | (changed_tags or {})
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items() if value is not None]
        return str(client.run_job_flow(**{**request, "BootstrapActions": []})["JobFlowId"])

    yield start_cluster
    control(emr, "DELETE", "faults")
    for cluster_id in live(client):
        client.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
        client.terminate_job_flows(JobFlowIds=[cluster_id])


@pytest.fixture
def airflow_run(airflow_db: None) -> Iterator[Callable[..., None]]:
    """Return a function that makes Airflow know a DAG run in some state."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    def make(run_id: str, state: str, dag_id: str = "orchard_features") -> None:
        now = datetime.now(UTC)
        run = DagRun(
            dag_id=dag_id,
            run_id=run_id,
            run_type=DagRunType.MANUAL,
            state=state,
            logical_date=now,
            run_after=now,
            triggered_by=DagRunTriggeredByType.TEST,
        )
        with create_session() as session:
            session.add(run)

    yield make
    with create_session() as session:
        session.query(DagRun).delete()


@pytest.fixture
def sweep(airflow_db: None, emr: Endpoint, environ: dict[str, str]) -> Callable[..., Any]:
    """Return a function that runs the sweeper and gives the task's state and value."""

    def run(**changes: str) -> tuple[str, Any]:
        given = {**environ, "ORCHARD_SWEEP_GRACE": "0", **changes}
        dag_run = build_sweeper(Settings.from_env(given)).test()
        (ti,) = dag_run.get_task_instances()
        return str(ti.state), ti.xcom_pull(task_ids="sweep")

    return run


def test_the_clusters_of_runs_that_are_over_are_ended_and_those_of_others_are_not(
    start: Any, airflow_run: Any, sweep: Any, client: Any
) -> None:
    airflow_run("running", "running")
    airflow_run("queued", "queued")
    airflow_run("done", "success")
    airflow_run("failed~", "failed")
    airflow_run("running", "running", dag_id="orchard_second")
    over = {
        start("done"),
        start("failed~"),
        start("never heard of"),
        start("queued", dag_id="orchard_second"),
    }
    kept = {
        start("running"),
        start("queued"),
        start("running", dag_id="orchard_second"),
        start("done", lake="file:///another/lake"),
        # Names like ours, but:
        start("done", changed_tags={"orchard:lake": "another"}),
        start("done", changed_tags={"orchard:lake": None}),
        start("done", changed_tags={"orchard:dag": None, "orchard:run": None, "orchard:lake": None}),
        start("done", changed_tags={"orchard:dag": None}),
        start("done", changed_tags={"orchard:run": None}),
    }
    state, ended = sweep()
    assert (state, set(ended)) == ("success", over)
    assert set(live(client)) == kept


def test_a_cluster_of_another_name_is_not_even_described(
    start: Any, sweep: Any, client: Any, emr: Endpoint
) -> None:
    foreign = start("done", lake="file:///another/lake")
    control(emr, "POST", "faults", {"action": "DescribeCluster", "kind": "access_denied"})
    assert sweep() == ("success", {})
    assert live(client) == [foreign]


def test_a_new_cluster_is_left_alone_until_airflow_may_know_its_run(
    start: Any, sweep: Any, client: Any
) -> None:
    cluster_id = start("being queued")
    assert sweep(ORCHARD_SWEEP_GRACE="60") == ("success", {})
    assert live(client) == [cluster_id]


def test_a_cluster_that_is_too_old_is_ended_under_its_running_run(
    start: Any, airflow_run: Any, sweep: Any, client: Any
) -> None:
    airflow_run("running", "running")
    cluster_id = start("running")
    time.sleep(1.1)
    state, ended = sweep(ORCHARD_MAX_CLUSTER_HOURS="0.0003", ORCHARD_SWEEP_GRACE="900")
    assert (state, ended) == ("success", {cluster_id: "it is 0.0 h old, the limit is 0.0003 h"})
    assert live(client) == []


def test_one_that_cannot_be_ended_keeps_no_other_alive_and_is_named_with_the_remedy(
    start: Any, sweep: Any, client: Any, emr: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    start("oldest")
    protected, denied = start("protected"), start("denied")
    client.set_termination_protection(JobFlowIds=[protected], TerminationProtected=True)
    control(
        emr, "POST", "faults", {"action": "TerminateJobFlows", "kind": "access_denied", "times": 1}
    )  # the newest comes first
    state, _ = sweep()
    assert state == "failed"
    assert live(client) == [denied, protected]
    said = capfd.readouterr().out
    assert "Could not check or terminate 2 live clusters: " in said
    assert f"{denied}: ClientError: An error occurred (AccessDeniedException)" in said
    lift = f"aws emr modify-cluster-attributes --cluster-id {protected} --no-termination-protected"
    assert f"{protected}: it has termination protection; disable it with `{lift}`" in said


def test_people_are_told_of_clusters_that_were_left_behind(
    start: Any, sweep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_id = start("done")
    with webhook() as (url, told):
        monkeypatch.setenv("AIRFLOW_CONN_TELL", json.dumps({"conn_type": "http", "host": url}))
        sweep(ORCHARD_NOTIFY_CONN_ID="tell")
        sweep(ORCHARD_NOTIFY_CONN_ID="tell")
    (text,) = [message["text"] for message in told]
    assert text.startswith(f"Orchard: terminated leftover clusters: 1\n{cluster_id}: Airflow has no ")


def test_a_list_that_is_refused_fails_the_sweep(sweep: Any, start: Any, emr: Endpoint) -> None:
    control(emr, "POST", "faults", {"action": "ListClusters", "kind": "access_denied"})
    assert sweep()[0] == "failed"


def test_it_runs_every_hour_one_at_a_time_and_is_on_from_its_creation(settings: Settings) -> None:
    import orchard_sweeper

    dag = build_sweeper(settings)
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (False, 1, False)
    assert dag.timetable.expression == "17 * * * *"
    assert dag.doc_md == orchard_sweeper.__doc__
    assert all(f"`{task.task_id}`" in str(dag.doc_md) for task in dag.tasks)
