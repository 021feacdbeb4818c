"""
# No cluster left behind

Terminates, every hour, this lake's clusters that no DAG run needs any more. It terminates a cluster that has
this lake's `orchard:lake` tag and

- is older than `ORCHARD_SWEEP_GRACE` seconds, and whose run (tags `orchard:dag` and `orchard:run`) has
  finished or is unknown to Airflow; or
- is older than `ORCHARD_MAX_CLUSTER_HOURS`, whatever the state of its run, even without run tags.

This covers every DAG on the lake. Other clusters are never touched, and are described only if their name has
this lake's suffix. One lake belongs to one Airflow: **another Airflow on the same lake would lose its
clusters**, because this one does not know their runs.

- `sweep` terminates the clusters; its return value and its log say which, and why. If one cannot be
  terminated (a missing permission, termination protection), it still terminates the others, then fails and
  names those left, with the remedy. **They cost money: check the EMR console.**

**If a cluster was terminated here**, a teardown failed: see the log of that run's `terminate_cluster`.

**Settings**: the same as `orchard_features`. This DAG starts unpaused; leave it on.
"""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task

from orchard.settings.settings import Settings
from orchard.workflow.default_args import default_args
from orchard.workflow.sweeper import sweep_lake


def build_sweeper(settings: Settings, dag_id: str = "orchard_sweeper") -> DAG:
    """Return the DAG that terminates the lake's leftover clusters. Each lake needs its own."""
    with DAG(
        dag_id=dag_id,
        description="Terminates the lake's clusters that no run needs.",
        doc_md=__doc__,
        # With no start date and this, unpausing the DAG catches up on the current hour only.
        schedule=CronTriggerTimetable("17 * * * *", timezone="UTC", run_immediately=timedelta(hours=1)),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["orchard"],
        default_args=default_args(settings),
    ) as dag:

        @task(execution_timeout=timedelta(minutes=15))
        def sweep(**context: Any) -> dict[str, str]:
            return sweep_lake(context["ti"], settings)

        sweep()
    return dag


dag = build_sweeper(Settings.from_env(os.environ))
