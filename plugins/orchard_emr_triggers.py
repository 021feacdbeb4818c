"""The triggers' import path before ``orchard_airflow``, which Airflow's database stores for deferred tasks.

Delete this module in the next release, when no task is deferred under this path any more.
"""

from orchard_airflow.triggers import EmrClusterEndTrigger, EmrClusterStartTrigger, EmrStepTrigger

__all__ = ["EmrClusterEndTrigger", "EmrClusterStartTrigger", "EmrStepTrigger"]
