"""``python -m local_airflow.dag_run DAG``: ``airflow db migrate`` and ``airflow dags test``, in one process.

Each of the two commands would import Airflow anew. Half of their CPU time went into Python's search for
garbage among the objects of its modules, all of which stay.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

POLL_INTERVAL = 0.25  # seconds
# Objects made before Python looks for garbage: 700 by default, of millions.
gc.set_threshold(50_000, 20, 100)


def main(dag_id: str) -> int:
    """Run the DAG once; return 0 where the run has succeeded."""
    from airflow.utils.cli import get_bagged_dag  # noqa: PLC0415 - after the threshold
    from airflow.utils.db import upgradedb  # noqa: PLC0415

    upgradedb()
    dag = get_bagged_dag(bundle_names=None, dag_id=dag_id)
    look_often(dag)
    state = dag.test(run_conf={"recompute": True}).state  # `make demo` changes a model only by its name
    gc.freeze()  # nor is there anything to be found at the end
    return 0 if state == "success" else 1


def look_often(dag: Any) -> None:
    """Let tasks look at a local EMR more often than settings allow, which are for a real one.

    Triggers run in this process, one after the other with the tasks, so that none can fire too early.
    """
    for task in dag.tasks:
        if hasattr(task, "poll_interval"):
            task.poll_interval = POLL_INTERVAL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
