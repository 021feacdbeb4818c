"""
# Nightly image features

Turns the images that have arrived since the last run into features, principal components and a CSV, on
an EMR cluster that exists only for this run.

- `sense` lists the images and writes those that are new or changed to the run's manifest. Where there are
  none the run is skipped (after `ORCHARD_SENSE_TIMEOUT`, if that is set), and no cluster is created; but a
  run by hand whose components, variance or basis differ from the newest result fits them on what is stored.
  Its log estimates the cost. Where it fails, the message says why, and the remedy.
- `create_cluster` creates this run's cluster, or attaches to it. Where it fails, its log says why.
- `featurize` makes 1280 features of each image; what is no image becomes a rejected row. Its log says how
  far it is. Where it or one of the next two fails, the last lines of the Spark driver are in its log.
- `reduce` fits principal components on all images of the result, or reuses those of the run before.
- `export` writes the CSV, the rejected images and what became of each new image.
- `publish` checks that every listed image is accounted for. From here the run exists for readers, and DAGs
  that wait for the asset of `latest.json` start; where it fails, nothing is published. It needs no cluster.
- `compact` removes from the lake what newer runs have superseded; with `ORCHARD_RETENTION_DAYS` also results
  that were superseded so long ago. Where it fails, the run is published all the same.
- `report` makes `report.html` in the run's folder, for people to look at. Where it fails, the run is
  published all the same; clear it to have it made again, or the next run makes it.
- `register`, with `ORCHARD_GLUE_DATABASE`, tells Glue of the run; the next one makes up for what has failed.
- `terminate_cluster` ends the cluster once no step is left, whatever happened before; its log says what
  the cluster has cost. Where it fails, so does the run: **look at EMR's console**; EMR ends an idle cluster
  by itself.

**To run it by hand**: *Trigger*, with the parameters of the form.

**To run a part again**: clear the task with its downstream tasks; Airflow clears the creation and the end of
the cluster with it. Clearing or failing a running task cancels its step (where drivers run in containers, end
the cluster first). A published run is never rewritten: its tasks refuse to run again, but for `publish`,
which then has nothing to do, and what follows it. Trigger a new run.

**Results**: `<lake>/latest.json` names the newest run's `csv` and `run.json`, and all published runs. What
is in `<lake>/runs/`, `ledger/` and `basis/` for a run that it does not name is unfinished.

**Settings**: `ORCHARD_*` environment variables of Airflow's processes; see `docs/reference/settings.md`.
"""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, chain, task

from orchard.emr.job_flow import clusters_of_lake
from orchard.settings.settings import Settings
from orchard.workflow.default_args import default_args
from orchard.workflow.schedule import event_of, results, schedule
from orchard.workflow.template_fields import CLUSTER_ID, TemplateFields
from orchard.workflow.trigger_form import params
from orchard_airflow.operators.create_cluster import OrchardCreateClusterOperator
from orchard_airflow.operators.step import OrchardStepOperator
from orchard_airflow.operators.terminate_cluster import OrchardTerminateClusterOperator
from orchard_airflow.page_links import RESULT_LINKS
from orchard_airflow.sensors import SkipAfterTimeoutSensor


def build_dag(settings: Settings, dag_id: str = "orchard_features") -> DAG:
    """Return the nightly DAG. A second lake is a second DAG of another name."""
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
        description="Images to features, principal components and a CSV, on a cluster of its own.",
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
            group=clusters_of_lake(settings),
            start_timeout=waits.start_timeout,
            execution_timeout=timedelta(seconds=waits.start_timeout + 600),
            guard=fields.guard,
            **emr,
        )

        @task(outlets=[published])
        def publish(**context: Any) -> dict[str, Any]:
            record = fields.tasks(context).publish()
            context["outlet_events"][published].extra = event_of(record)
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
        # Beside the teardown, not before it: the cluster does not wait for the publication, and clearing
        # the publication creates no cluster.
        publication: Any = publish()
        page: Any = report()
        for linked in (publication, page):
            linked.operator.operator_extra_links = RESULT_LINKS
        chain(sense, create_cluster, *steps, [publication, terminate_cluster])
        # Whatever becomes of these, the run is published.
        chain(publication, [compact(), page, *([register()] if settings.signals.glue_database else [])])
    return dag


dag = build_dag(Settings.from_env(os.environ))
