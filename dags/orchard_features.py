"""
# Nightly image features

Computes features and principal components of the images that arrived since the last run, and writes them to
a CSV, on an EMR cluster that exists only for this run.

- `sense` lists the images, writes the new and changed ones to the run's manifest and logs a cost estimate.
  If there are none, the run is skipped (after `ORCHARD_SENSE_TIMEOUT`, if set) and no cluster is created.
  A manual run whose components, variance or basis differ from the newest result refits them on the stored
  statistics instead. If it fails, the error states the remedy.
- `create_cluster` creates this run's cluster, or attaches to it. If it fails, its log says why.
- `featurize` computes 1280 features per image; invalid images become rejected rows. Its log shows progress.
  If it, `reduce` or `export` fails, its log ends with the Spark driver's last lines.
- `reduce` fits principal components on all images of the result, or reuses the previous run's basis.
- `export` writes the CSV, the rejected images and the outcome of each new image.
- `publish` checks that every listed image is accounted for. Once it succeeds, readers see the run, and DAGs
  scheduled on the `latest.json` asset start. If it fails, nothing is published. It needs no cluster.
- `compact` removes state that newer runs have superseded and, with `ORCHARD_RETENTION_DAYS`, results that
  were superseded that long ago. If it fails, the run stays published.
- `report` writes `report.html` to the run's folder. If it fails, the run stays published; clear the task to
  try again, or wait for the next run to write it.
- `register`, with `ORCHARD_GLUE_DATABASE`, registers the run in Glue. If it fails, the next run catches up.
- `terminate_cluster` terminates the cluster when no step is left, whatever happened before, and logs the
  cluster's cost. If it fails, the run fails: **check the EMR console**. EMR terminates idle clusters by
  itself.

**Manual run**: *Trigger* opens the form.

**Rerun part of a run**: clear the task with its downstream tasks; Airflow also clears the tasks that create
and terminate the cluster. Clearing or failing a running task cancels its step (if drivers run in containers,
terminate the cluster first). A published run is never rewritten: only `publish`, which then does nothing, and
its downstream tasks run again. Trigger a new run instead.

**Results**: `<lake>/latest.json` names the newest run's `csv` and `run.json`, and all published runs. If it
does not name a run, what that run left in `<lake>/runs/`, `ledger/` and `basis/` is unfinished.

**Settings**: `ORCHARD_*` environment variables of Airflow's processes; see `docs/reference/settings.md`.
"""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, chain, task

from orchard.emr.job_flow import lake_clusters
from orchard.settings.settings import Settings
from orchard.workflow.default_args import default_args
from orchard.workflow.schedule import asset_event, results, schedule
from orchard.workflow.template_fields import CLUSTER_ID, TemplateFields
from orchard.workflow.trigger_form import params
from orchard_airflow.operators.create_cluster import OrchardCreateClusterOperator
from orchard_airflow.operators.step import OrchardStepOperator
from orchard_airflow.operators.terminate_cluster import OrchardTerminateClusterOperator
from orchard_airflow.page_links import RESULT_LINKS
from orchard_airflow.sensors import SkipAfterTimeoutSensor


def build_dag(settings: Settings, dag_id: str = "orchard_features") -> DAG:
    """Return the nightly DAG. A second lake needs a second DAG with its own id."""
    waits, fields, published = settings.waits, TemplateFields(settings), results(settings.places.lake)
    emr: Any = {**settings.access.hook, "poll_interval": waits.poll_interval, "deferrable": True}

    def step(job: str) -> OrchardStepOperator:
        return OrchardStepOperator(
            task_id=job,
            job_flow_id=CLUSTER_ID,
            steps=fields.steps(job),
            cluster_identity=fields.cluster_identity,
            metrics_uri=fields.metrics_uri(job),
            step_timeout=waits.step_timeout,
            max_cluster_hours=settings.limits.max_cluster_hours,
            log_timeout=waits.log_timeout,
            execution_timeout=timedelta(seconds=waits.step_timeout + waits.log_timeout + 600),
            guard=fields.guard,
            **emr,
        )

    with DAG(
        dag_id=dag_id,
        description="Image features, principal components and a CSV, on a cluster of its own.",
        doc_md=__doc__,
        schedule=schedule(settings),
        catchup=False,
        max_active_runs=1,
        # No dagrun_timeout: it would skip the teardown and leave the cluster behind.
        dagrun_timeout=None,
        params=params(settings),
        tags=["orchard"],
        default_args=default_args(settings),
    ) as dag:
        sense = SkipAfterTimeoutSensor(
            task_id="sense",
            look=lambda context: fields.tasks(context).sense(),
            mode="reschedule",
            poke_interval=waits.sense_interval,
            timeout=waits.sense_timeout,
        )
        create_cluster = OrchardCreateClusterOperator(
            task_id="create_cluster",
            job_flow_overrides=fields.cluster,
            run_tags=fields.tags,
            group=lake_clusters(settings),
            start_timeout=waits.start_timeout,
            execution_timeout=timedelta(seconds=waits.start_timeout + 600),
            guard=fields.guard,
            **emr,
        )

        @task(outlets=[published])
        def publish(**context: Any) -> dict[str, Any]:
            record = fields.tasks(context).publish()
            context["outlet_events"][published].extra = asset_event(record)
            return dict(record)

        @task
        def compact(**context: Any) -> list[str]:
            return fields.tasks(context).compact()

        @task
        def report(**context: Any) -> str:
            return fields.tasks(context).report()

        @task
        def register(**context: Any) -> list[str]:
            return fields.tasks(context).register()

        terminate_cluster = OrchardTerminateClusterOperator(
            task_id="terminate_cluster",
            job_flow_id=CLUSTER_ID,
            cluster_identity=fields.cluster_identity,
            terminate_timeout=waits.terminate_timeout,
            ended=fields.bill,
            execution_timeout=timedelta(seconds=waits.terminate_timeout + 600),
            **emr,
        ).as_teardown(setups=create_cluster, on_failure_fail_dagrun=True)
        steps = [step(job) for job in ("featurize", "reduce", "export")]
        # Parallel to the teardown: the cluster does not wait for publish, and clearing publish creates none.
        publication: Any = publish()
        page: Any = report()
        for linked in (publication, page):
            linked.operator.operator_extra_links = RESULT_LINKS
        chain(sense, create_cluster, *steps, [publication, terminate_cluster])
        # The run stays published whether or not these succeed.
        chain(publication, [compact(), page, *([register()] if settings.signals.glue_database else [])])
    return dag


dag = build_dag(Settings.from_env(os.environ))
