"""A sensor that is skipped when its time is over, and failed by everything else."""

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context


class SkipAfterTimeoutSensor(PythonSensor):
    """PythonSensor without the trap of ``soft_fail``, which also skips on AirflowFailException and on
    ``execution_timeout`` (``airflow.sdk.bases.sensor``): a missing permission would look like a quiet night.
    """

    def execute(self, context: "Context") -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout as waited:
            raise AirflowSkipException(str(waited)) from None
