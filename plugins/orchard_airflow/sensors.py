"""A sensor that skips on timeout, and fails on any other error."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context


class SkipAfterTimeoutSensor(BaseSensorOperator):
    """Unlike ``soft_fail``, which also skips on AirflowFailException and ``execution_timeout``
    (``airflow.sdk.bases.sensor``), this fails on errors: a missing permission must not look like a quiet
    night.

    Args:
        look: Called with the task's context at each poke.
    """

    def __init__(self, *, look: Callable[["Context"], PokeReturnValue], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.look = look

    def poke(self, context: "Context") -> PokeReturnValue:
        return self.look(context)

    def execute(self, context: "Context") -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout as waited:
            raise AirflowSkipException(str(waited)) from None
