"""The demo polls its EMR more often than the settings allow."""

from types import SimpleNamespace

from local_airflow.dag_run import POLL_INTERVAL, poll_often


def test_tasks_that_poll_emr_do_so_often_and_others_are_unchanged() -> None:
    step, publish = SimpleNamespace(poll_interval=1.0), SimpleNamespace()
    poll_often(SimpleNamespace(tasks=[step, publish]))
    assert step.poll_interval == POLL_INTERVAL
    assert vars(publish) == {}
