"""The DAG of the Amazon provider's `example_emr.py`, without its buckets, and polling EMR more often.

https://github.com/apache/airflow/blob/main/providers/amazon/tests/system/amazon/aws/example_emr.py
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import boto3
from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrModifyClusterOperator,
    EmrTerminateJobFlowOperator,
)
from airflow.providers.amazon.aws.sensors.emr import EmrJobFlowSensor, EmrStepSensor
from airflow.sdk import DAG, TriggerRule, chain, task

CONFIGURATION = "EMR Runtime Role Security Configuration"
SECURITY = {
    "AuthorizationConfiguration": {"IAMConfiguration": {"EnableApplicationScopedIAMRole": True}},
    "InstanceMetadataServiceConfiguration": {
        "MinimumInstanceMetadataServiceVersion": 2,
        "HttpPutResponseHopLimit": 2,
    },
}
STEPS = [
    {
        "Name": "calculate_pi",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": ["/usr/lib/spark/bin/run-example", "SparkPi", "10"],
        },
    }
]
JOB_FLOW: dict[str, Any] = {
    "Name": "PiCalc",
    "ReleaseLabel": "emr-7.1.0",
    "Applications": [{"Name": "Spark"}],
    "Instances": {
        "InstanceGroups": [
            {
                "Name": "Primary node",
                "Market": "ON_DEMAND",
                "InstanceRole": "MASTER",
                "InstanceType": "m5.xlarge",
                "InstanceCount": 1,
            },
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
    },
    "Steps": STEPS,
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
    "LogUri": "s3://logs-of-example/",
    "SecurityConfiguration": CONFIGURATION,
}
ROLE = "arn:aws:iam::000000000000:role/example"


@task
def configure_security_config() -> None:
    boto3.client("emr").create_security_configuration(
        Name=CONFIGURATION, SecurityConfiguration=json.dumps(SECURITY)
    )


@task(trigger_rule=TriggerRule.ALL_DONE)
def delete_security_config() -> None:
    boto3.client("emr").delete_security_configuration(Name=CONFIGURATION)


@task
def get_step_id(step_ids: list[str]) -> str:
    return step_ids[0]


def build_example(deferrable: bool) -> DAG:
    often = {"waiter_delay": 1, "waiter_max_attempts": 300, "poke_interval": 1, "poll_interval": 1}
    with DAG(
        dag_id=f"example_emr_{'deferrable' if deferrable else 'waiting'}",
        start_date=datetime(2021, 1, 1),
        schedule=None,
        default_args={"deferrable": deferrable, **often},
    ) as dag:
        create_job_flow = EmrCreateJobFlowOperator(task_id="create_job_flow", job_flow_overrides=JOB_FLOW)
        cluster_id: Any = create_job_flow.output
        modify_cluster = EmrModifyClusterOperator(
            task_id="modify_cluster", cluster_id=cluster_id, step_concurrency_level=1
        )
        add_steps = EmrAddStepsOperator(
            task_id="add_steps",
            job_flow_id=cluster_id,
            steps=STEPS,
            execution_role_arn=ROLE,
            wait_for_completion=True,
        )
        step_id: Any = get_step_id(add_steps.output)  # type: ignore[arg-type]
        wait_for_step = EmrStepSensor(task_id="wait_for_step", job_flow_id=cluster_id, step_id=step_id)
        remove_cluster = EmrTerminateJobFlowOperator(
            task_id="remove_cluster", job_flow_id=cluster_id, trigger_rule=TriggerRule.ALL_DONE
        )
        check_job_flow = EmrJobFlowSensor(task_id="check_job_flow", job_flow_id=cluster_id)
        chain(
            configure_security_config(),
            create_job_flow,
            modify_cluster,
            add_steps,
            wait_for_step,
            remove_cluster,
            check_job_flow,
            delete_security_config(),
        )
    return dag


WAITING, DEFERRABLE = build_example(deferrable=False), build_example(deferrable=True)
