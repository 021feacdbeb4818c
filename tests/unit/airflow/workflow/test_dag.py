"""The shape of the DAG, and that its file says what is wrong with the settings."""

import json
import runpy
from datetime import datetime, timedelta

import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from orchard.settings.settings import Settings
from orchard_features import build_dag
from orchard_jobs.errors import OrchardError

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}
DAG = build_dag(
    Settings.from_env({**LEAST, "ORCHARD_TIME_ZONE": "Europe/Paris", "ORCHARD_CRON": "30 1 * * *"})
)


def test_the_tasks_follow_each_other() -> None:
    assert {task.task_id: task.downstream_task_ids for task in DAG.tasks} == {
        "sense": {"create_cluster"},
        "create_cluster": {"featurize", "terminate_cluster"},
        "featurize": {"reduce"},
        "reduce": {"export"},
        "export": {"publish", "terminate_cluster"},
        "publish": {"compact", "report"},
        "compact": set(),
        "report": set(),
        "terminate_cluster": set(),
    }


def test_with_a_glue_database_a_run_is_registered_once_it_is_published_and_nothing_waits_for_it() -> None:
    dag = build_dag(Settings.from_env({**LEAST, "ORCHARD_GLUE_DATABASE": "orchard"}))
    assert dag.get_task("publish").downstream_task_ids == {"compact", "report", "register"}
    assert dag.get_task("register").downstream_task_ids == set()
    assert "`register`" in str(dag.doc_md)


def test_the_cluster_is_set_up_and_torn_down() -> None:
    assert [task.task_id for task in DAG.tasks if task.is_setup] == ["create_cluster"]
    assert [task.task_id for task in DAG.tasks if task.is_teardown] == ["terminate_cluster"]
    assert DAG.get_task("terminate_cluster").on_failure_fail_dagrun


def test_clearing_a_step_clears_the_cluster_with_it_and_clearing_the_publication_does_not() -> None:
    def cleared(task_id: str) -> set[str]:
        subset = DAG.partial_subset(task_id, include_downstream=True, include_upstream=False)
        return {task.task_id for task in subset.tasks}

    published = {"publish", "compact", "report"}
    assert cleared("publish") == published
    assert cleared("report") == {"report"}
    assert cleared("export") == {"create_cluster", "export", "terminate_cluster"} | published


def test_a_retry_comes_before_the_cluster_has_been_idle_for_too_long() -> None:
    settings = Settings.from_env(LEAST)
    assert all(task.max_retry_delay == timedelta(seconds=120) for task in DAG.tasks)
    assert settings.waits.log_timeout + 120 + 60 < settings.fleet.idle_timeout


def test_every_wait_for_emr_is_deferred() -> None:
    assert {task.task_id for task in DAG.tasks if getattr(task, "deferrable", False)} == {
        "create_cluster",
        "featurize",
        "reduce",
        "export",
        "terminate_cluster",
    }


def test_every_task_that_talks_to_emr_is_told_the_region() -> None:
    dag = build_dag(Settings.from_env({**LEAST, "ORCHARD_REGION": "eu-west-3", "ORCHARD_AWS_CONN_ID": "a"}))
    told = {(task.aws_conn_id, task.region_name) for task in dag.tasks if hasattr(task, "region_name")}
    assert told == {("a", "eu-west-3")}


def test_every_task_has_an_end_and_the_run_has_none_that_would_skip_the_teardown() -> None:
    assert DAG.dagrun_timeout is None
    assert {task.task_id: task.execution_timeout for task in DAG.tasks} == {
        "sense": timedelta(hours=1),
        "create_cluster": timedelta(seconds=1800 + 600),
        "featurize": timedelta(seconds=21600 + 330 + 600),
        "reduce": timedelta(seconds=21600 + 330 + 600),
        "export": timedelta(seconds=21600 + 330 + 600),
        "publish": timedelta(hours=1),
        "compact": timedelta(hours=1),
        "report": timedelta(hours=1),
        "terminate_cluster": timedelta(seconds=1800 + 600),
    }


@pytest.mark.parametrize(
    ("unpaused", "first_run"),
    [
        ("2026-07-01T12:00+02:00", "2026-07-02T01:30+02:00"),
        ("2026-07-01T01:35+02:00", "2026-07-01T01:30+02:00"),
        ("2026-12-01T12:00+01:00", "2026-12-02T01:30+01:00"),
    ],
)
def test_the_first_run_is_the_next_nights(
    unpaused: str, first_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timetable = decode_timetable(DagSerialization.serialize_dag(DAG)["timetable"])
    nothing_yet = TimeRestriction(earliest=None, latest=None, catchup=False)
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: datetime.fromisoformat(unpaused))
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=nothing_yet)
    assert info is not None
    assert info.run_after == datetime.fromisoformat(first_run)


def test_one_run_at_a_time_and_none_for_missed_nights() -> None:
    assert (DAG.catchup, DAG.max_active_runs, DAG.start_date) == (False, 1, None)


def test_its_file_is_its_manual_and_is_wiring() -> None:
    import orchard_features

    assert DAG.doc_md == orchard_features.__doc__
    assert all(f"`{task.task_id}`" in str(DAG.doc_md) for task in DAG.tasks)
    with open(orchard_features.__file__) as file:  # noqa: PTH123
        assert len(file.readlines()) <= 150


def test_it_is_the_same_after_every_parse() -> None:
    again = build_dag(
        Settings.from_env({**LEAST, "ORCHARD_TIME_ZONE": "Europe/Paris", "ORCHARD_CRON": "30 1 * * *"})
    )
    assert json.dumps(DagSerialization.serialize_dag(again), default=str) == json.dumps(
        DagSerialization.serialize_dag(DAG), default=str
    )


@pytest.mark.parametrize("missing", LEAST)
def test_a_missing_setting_is_the_error_of_the_import(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import orchard_features

    monkeypatch.delenv(missing)
    with pytest.raises(OrchardError, match=f"^{missing} is not set"):
        runpy.run_path(orchard_features.__file__)
