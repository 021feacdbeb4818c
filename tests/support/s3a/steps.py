"""A cluster of the local EMR like the DAG's, and its steps."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.emr.steps import build_step
from orchard.settings.settings import Settings
from orchard_jobs.contract import Job
from tests.support.polling import wait_for
from tests.support.s3a.buckets import CODE, LAKE, read

STEP_SECONDS = 300.0


@dataclass(frozen=True)
class StepCluster:
    """A cluster that accepts steps, with code in S3."""

    cluster_id: str
    settings: Settings

    def run(self, job: Job) -> None:
        """Run a job like the DAG, and require that it succeeds."""
        step = self.end_of(job)
        said = gzip.decompress(read(f"{self.logs}/{self.cluster_id}/steps/{step['Id']}/stderr.gz")).decode()
        assert step["Status"]["State"] == "COMPLETED", said

    def end_of(self, job: Job) -> dict[str, Any]:
        """Run a job to its end; return the step from DescribeStep."""
        emr = boto3.client("emr")
        step = build_step(job, "by hand", CODE, self.settings.spark.deploy_mode)
        (step_id,) = emr.add_job_flow_steps(JobFlowId=self.cluster_id, Steps=[step])["StepIds"]

        def end() -> dict[str, Any] | None:
            described: dict[str, Any] = emr.describe_step(ClusterId=self.cluster_id, StepId=step_id)["Step"]
            return None if described["Status"]["State"] in ("PENDING", "RUNNING") else described

        return wait_for(end, f"the step {job.NAME}", STEP_SECONDS)

    @property
    def logs(self) -> str:
        return self.settings.places.logs


def start_cluster(environ: Mapping[str, str], core_nodes: int = 1) -> StepCluster:
    settings = Settings.from_env({**environ, "ORCHARD_LAKE": f"s3://{LAKE}"})
    request = run_job_flow(run_tags("jobs", "by hand", settings), core_nodes, settings)
    return StepCluster(boto3.client("emr").run_job_flow(**request)["JobFlowId"], settings)
