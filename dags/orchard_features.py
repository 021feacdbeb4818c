"""
# Nightly image features

Turns the images that have arrived since the last run into features, principal components and a CSV, on
an EMR cluster that exists only for this run.

- `sense` lists the images and writes those that no published run has to the run's manifest. Where there
  are none it waits; after that the run is skipped, and no cluster is created. Where it fails, the message
  names the folder and the remedy.
- `create_cluster` creates this run's cluster, or attaches to it. Where it fails, its log has the reason and
  the place of EMR's logs.
- `featurize` makes 1280 features of each image; what is no image becomes a rejected row. Where this task or
  one of the next two fails, the last lines of the Spark driver are in its log.
- `reduce` fits principal components on all published runs and this one.
- `export` writes the CSV, the rejected images and the ledger entry, staged.
- `publish` checks that every listed image is accounted for. From here the run exists for readers; where it
  fails, nothing is published. It needs no cluster.
- `terminate_cluster` ends the cluster once no step is left, whatever happened before. Where it fails, so
  does the run: **look at EMR's console**; EMR ends an idle cluster by itself.

**To run it by hand**: *Trigger*, with the parameters of the form.

**To run a part again**: clear the task with its downstream tasks; Airflow clears the creation and the end of
the cluster with it. Clearing or failing a running task cancels its step. A published run is never
rewritten: its tasks refuse to run again, but for `publish`, which then has nothing to do. Trigger a new run.

**Results**: `<lake>/latest.json` names the newest run's `csv` and `run.json`, and all published runs. What
is in `<lake>/runs/`, `ledger/` and `basis/` for a run that it does not name is unfinished.

**Settings**: `ORCHARD_*` environment variables of the scheduler, the workers and the DAG processor; see the
README.
"""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, chain, task

from orchard.choices import params
from orchard.run import Run
from orchard.settings import LONGEST_RETRY_DELAY, Settings
from orchard_emr_create import OrchardCreateClusterOperator
from orchard_emr_step import OrchardStepOperator
from orchard_emr_terminate import OrchardTerminateClusterOperator
from orchard_sensor import SkipAfterTimeoutSensor

# The XCom that is pushed as soon as there is a cluster, whatever becomes of its creation.
CLUSTER_ID = "{{ ti.xcom_pull(task_ids='create_cluster', key='job_flow_id') or '' }}"


def build_dag(settings: Settings, dag_id: str = "orchard_features") -> DAG:
    """Return the nightly DAG. ``Run`` says what each task works on, when its fields are rendered.

    A second lake is a second DAG of another name.
    """
    waits, nightly = settings.waits, settings.nightly
    emr: dict[str, Any] = {
        **settings.access.hook,
        "poll_interval": waits.poll_interval,
        "deferrable": True,
    }

    def run_of(context: Any) -> Run:
        return Run.of_context(context, settings)

    def cluster(context: Any, **_: Any) -> dict[str, Any]:
        return run_of(context).cluster_request()

    def tags(context: Any, **_: Any) -> dict[str, str]:
        return run_of(context).tags()

    def guard(context: Any) -> None:
        run_of(context).refuse_if_published()

    def step(job: str) -> OrchardStepOperator:
        return OrchardStepOperator(
            task_id=job,
            job_flow_id=CLUSTER_ID,
            steps=lambda context, **_: [run_of(context).step(job)],
            step_timeout=waits.step_timeout,
            log_timeout=waits.log_timeout,
            execution_timeout=timedelta(seconds=waits.step_timeout + waits.log_timeout + 600),
            guard=guard,
            **emr,
        )

    with DAG(
        dag_id=dag_id,
        description="Images to features, principal components and a CSV, on a cluster of its own.",
        doc_md=__doc__,
        # Without a start date, and with this, unpausing the DAG starts no run for the night before.
        schedule=CronTriggerTimetable(
            nightly.cron, timezone=nightly.time_zone, run_immediately=timedelta(minutes=10)
        ),
        catchup=False,
        max_active_runs=1,
        # No dagrun_timeout: it would skip the teardown and leave the cluster behind.
        dagrun_timeout=None,
        params=params(settings),
        tags=["orchard"],
        default_args={
            "retries": waits.retries,
            "retry_delay": timedelta(seconds=waits.retry_delay),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(seconds=LONGEST_RETRY_DELAY),
        },
    ) as dag:
        sense = SkipAfterTimeoutSensor(
            task_id="sense",
            python_callable=lambda **context: run_of(context).look_for_images(),
            mode="reschedule",
            poke_interval=waits.sense_interval,
            timeout=waits.sense_timeout,
            execution_timeout=timedelta(hours=1),
        )
        create_cluster = OrchardCreateClusterOperator(
            task_id="create_cluster",
            job_flow_overrides=cluster,
            run_tags=tags,
            start_timeout=waits.start_timeout,
            execution_timeout=timedelta(seconds=waits.start_timeout + 600),
            guard=guard,
            **emr,
        )

        @task(execution_timeout=timedelta(hours=1))
        def publish(**context: Any) -> dict[str, Any]:
            return run_of(context).publish()

        terminate_cluster = OrchardTerminateClusterOperator(
            task_id="terminate_cluster",
            job_flow_id=CLUSTER_ID,
            cluster_name=lambda context, **_: run_of(context).cluster_name(),
            run_tags=tags,
            terminate_timeout=waits.terminate_timeout,
            execution_timeout=timedelta(seconds=waits.terminate_timeout + 600),
            **emr,
        ).as_teardown(setups=create_cluster, on_failure_fail_dagrun=True)

        steps = [step(job) for job in ("featurize", "reduce", "export")]
        # Beside the teardown, not before it: the cluster does not wait for the publication, and clearing
        # the publication creates no cluster.
        chain(sense, create_cluster, *steps, [publish(), terminate_cluster])
    return dag


dag = build_dag(Settings.from_env(os.environ))
