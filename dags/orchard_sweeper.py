"""
# No cluster left behind

Ends, every hour, what should have ended by itself: clusters of the lake that no run of Airflow's needs. A
cluster is ended if it has the tag `orchard:lake` of this lake, and

- its run (the tags `orchard:dag` and `orchard:run`) is finished, or Airflow does not know it, and it is older
  than `ORCHARD_SWEEP_GRACE` seconds; or
- it is older than `ORCHARD_MAX_CLUSTER_HOURS`, whatever its run does, and though no tag names one.

All DAGs that work on the lake are covered. Other clusters are not touched, nor described unless their
name ends as the lake's do. One lake belongs to one Airflow: **another Airflow on the same lake would lose
its clusters**, because this one does not know their runs.

- `sweep` ends the clusters. Its value and its log say which, and why. Where one cannot be ended (a
  permission, termination protection), the others are all the same; then it fails and names those that are
  left, with the remedy. **They cost money: look at EMR's console.**

**A cluster was ended** means that a teardown did not do its work: see the log of that run's
`terminate_cluster`.

**Settings**: as of `orchard_features`. This DAG is not paused at its creation; leave it on.
"""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task

from orchard.settings.settings import Settings
from orchard.workflow.default_args import default_args
from orchard.workflow.sweeper import sweep_lake


def build_sweeper(settings: Settings, dag_id: str = "orchard_sweeper") -> DAG:
    """Return the DAG that ends clusters of the lake of ``settings``. A second lake has one of its own."""
    with DAG(
        dag_id=dag_id,
        description="Ends the clusters of the lake that no run needs.",
        doc_md=__doc__,
        # Without a start date, and with this, unpausing the DAG makes up for no hour but this one.
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
