"""Only a night without images is skipped."""

from typing import Any

import pytest
from airflow.sdk import DAG, PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from orchard_airflow.sensors import SkipAfterTimeoutSensor


def sensor(look: Any) -> SkipAfterTimeoutSensor:
    return SkipAfterTimeoutSensor(task_id="sense", look=look, poke_interval=0, timeout=0)


def test_time_is_over() -> None:
    with pytest.raises(AirflowSkipException):
        sensor(lambda _: PokeReturnValue(is_done=False)).execute({})


def test_without_any_time_it_looks_once(airflow_db: None) -> None:
    looks = []

    def look(_: Any) -> PokeReturnValue:
        looks.append("once")
        return PokeReturnValue(is_done=False)

    with DAG("orchard_features") as dag:  # it runs only what it also finds in its folder
        SkipAfterTimeoutSensor(
            task_id="sense",
            look=look,
            mode="reschedule",
            poke_interval=0.1,
            timeout=0,
        )
    dag_run = dag.test()
    assert [str(ti.state) for ti in dag_run.get_task_instances()] == ["skipped"]
    assert looks == ["once"]


@pytest.mark.parametrize(
    "error", [AirflowFailException("no bucket"), AirflowTaskTimeout(), RuntimeError("lost")]
)
def test_an_error_stays_an_error(error: BaseException) -> None:
    def fail(_: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        sensor(fail).execute({})
