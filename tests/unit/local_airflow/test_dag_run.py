"""The run of the demo looks at its EMR more often than settings allow."""

from types import SimpleNamespace

from local_airflow.dag_run import POLL_INTERVAL, look_often


def test_a_task_that_looks_at_emr_does_so_often_and_others_stay_as_they_are() -> None:
    step, publish = SimpleNamespace(poll_interval=1.0), SimpleNamespace()
    look_often(SimpleNamespace(tasks=[step, publish]))
    assert step.poll_interval == POLL_INTERVAL
    assert vars(publish) == {}
