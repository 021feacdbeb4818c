"""Where the triggers were before ``orchard_airflow``: Airflow's database holds this path of those that wait.

To be deleted with the next release, when every task that was deferred under this path has ended.
"""

from orchard_airflow.triggers import EmrClusterEndTrigger, EmrClusterStartTrigger, EmrStepTrigger

__all__ = ["EmrClusterEndTrigger", "EmrClusterStartTrigger", "EmrStepTrigger"]
