"""``python -m local_airflow.dag_run DAG``: ``airflow db migrate`` and ``airflow dags test``, in one process.

Separate commands would each import Airflow. Half of their CPU time went into garbage collection over the
modules' objects, none of which is garbage.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

POLL_INTERVAL = 0.25  # seconds
# Allocations between collections: 700 by default, and Airflow has millions of objects.
gc.set_threshold(50_000, 20, 100)


def main(dag_id: str) -> int:
    """Run the DAG once; return 0 if the run succeeded."""
    from airflow.utils.cli import get_bagged_dag  # noqa: PLC0415 - after the threshold
    from airflow.utils.db import upgradedb  # noqa: PLC0415

    upgradedb()
    dag = get_bagged_dag(bundle_names=None, dag_id=dag_id)
    poll_often(dag)
    state = dag.test(run_conf={"recompute": True}).state  # `make demo` changes a model only by its name
    gc.freeze()  # skip the collection at exit, too
    return 0 if state == "success" else 1


def poll_often(dag: Any) -> None:
    """Poll the local EMR more often than the settings allow, whose limits are meant for the real one.

    Triggers run in this process, in turn with the tasks, so none can fire too early.
    """
    for task in dag.tasks:
        if hasattr(task, "poll_interval"):
            task.poll_interval = POLL_INTERVAL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
