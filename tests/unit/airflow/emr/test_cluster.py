"""The request of RunJobFlow, whole, and checked by botocore's model of the service."""

import re

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import example, given
from hypothesis import strategies as st

from orchard.emr.job_flow import (
    cluster_name,
    format_run_tag,
    parse_run_tag,
    run_job_flow,
    run_tags,
    validate_subnets,
)
from orchard.lake.layout import run_slug
from orchard.settings.settings import Settings
from orchard_jobs.contract import JAVA_OPTIONS
from orchard_jobs.errors import OrchardError

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}
TAGS = {"orchard:dag": "d", "orchard:run": "r", "orchard:lake": "l"}


def request(core_nodes: int = 2, **environ: str) -> dict[str, object]:
    return run_job_flow(TAGS, core_nodes, Settings.from_env({**LEAST, **environ}))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {
            "ORCHARD_TASK_NODES": "4",
            "ORCHARD_SUBNETS": "subnet-1",
            "ORCHARD_SECURITY_GROUPS": "sg-1,sg-2",
            "ORCHARD_SECURITY_CONFIGURATION": "imdsv2",
        },
    ],
)
def test_the_request_satisfies_botocores_model(environ: dict[str, str]) -> None:
    model = botocore.session.get_session().get_service_model("emr").operation_model("RunJobFlow")
    report = ParamValidator().validate(request(**environ), model.input_shape)
    assert report.generate_report() == ""


def test_all_nodes_get_the_first_group_and_emrs_endpoint_the_second() -> None:
    instances = run_job_flow(TAGS, 2, Settings.from_env({**LEAST, "ORCHARD_SECURITY_GROUPS": "sg-1, sg-2"}))[
        "Instances"
    ]
    assert {key: value for key, value in instances.items() if "SecurityGroup" in key} == {
        "EmrManagedMasterSecurityGroup": "sg-1",
        "EmrManagedSlaveSecurityGroup": "sg-1",
        "ServiceAccessSecurityGroup": "sg-2",
    }


def test_the_whole_request() -> None:
    fleet_types = ["m6i.xlarge", "m5.xlarge", "m7i.xlarge"]

    def fleet(kind: str, nodes: int) -> dict[str, object]:
        volume = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64}, "VolumesPerInstance": 1}
        return {
            "Name": kind.lower(),
            "InstanceFleetType": kind,
            "InstanceTypeConfigs": [
                {
                    "InstanceType": name,
                    "WeightedCapacity": 1,
                    "EbsConfiguration": {"EbsBlockDeviceConfigs": [volume]},
                }
                for name in fleet_types
            ],
            "LaunchSpecifications": {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}},
            "TargetOnDemandCapacity": nodes,
        }

    python = "/opt/orchard/venv/bin/python"
    assert request(core_nodes=5, ORCHARD_BOOTSTRAP_ARGS="--index 'a b'") == {
        "Name": f"d {run_slug('r', 'd')} l",
        "LogUri": "s3://lake/logs/",
        "ReleaseLabel": "emr-spark-8.1.0",
        "Applications": [{"Name": "Spark"}],
        "Instances": {
            "InstanceFleets": [fleet("MASTER", 1), fleet("CORE", 5)],
            "KeepJobFlowAliveWhenNoSteps": True,
            "TerminationProtected": False,
        },
        "BootstrapActions": [
            {
                "Name": "install the Python environment",
                "ScriptBootstrapAction": {
                    "Path": "s3://lake/code/install_node.sh",
                    "Args": ["--target", "/opt/orchard/venv", "--source", "s3://lake/code", "--index", "a b"],
                },
            }
        ],
        "Configurations": [
            {
                "Classification": "spark-defaults",
                "Properties": {
                    "spark.pyspark.python": python,
                    "spark.pyspark.driver.python": python,
                    "spark.driver.memory": "6g",
                    "spark.executor.memory": "3g",
                    "spark.executor.memoryOverhead": "6g",
                    "spark.driver.extraJavaOptions": JAVA_OPTIONS,
                    "spark.executor.extraJavaOptions": JAVA_OPTIONS,
                    "spark.executor.cores": "4",
                    "spark.executor.instances": "5",
                    "spark.eventLog.enabled": "true",
                    "spark.eventLog.dir": "s3://lake/logs/spark-events",
                    "spark.eventLog.rolling.enabled": "true",
                    "spark.eventLog.compress": "true",
                    "spark.eventLog.compression.codec": "zstd",
                },
            },
            {
                "Classification": "spark-env",
                "Properties": {},
                "Configurations": [{"Classification": "export", "Properties": {"PYSPARK_PYTHON": python}}],
            },
        ],
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "ServiceRole": "EMR_DefaultRole_V2",
        "VisibleToAllUsers": True,
        "StepConcurrencyLevel": 1,
        "AutoTerminationPolicy": {"IdleTimeout": 900},
        "Tags": [
            {"Key": "orchard:dag", "Value": "d"},
            {"Key": "orchard:run", "Value": "r"},
            {"Key": "orchard:lake", "Value": "l"},
            {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"},
        ],
    }


@pytest.mark.parametrize("role", ["EMR_DefaultRole_V2", "arn:aws:iam::123456789012:role/EMR_DefaultRole_V2"])
def test_emrs_default_role_without_subnets_is_refused(role: str) -> None:
    """It acts in tagged subnets only, and those of the default VPC have no tag."""
    environ = {**LEAST, "ORCHARD_SERVICE_ROLE": role}
    with pytest.raises(OrchardError) as refused:
        validate_subnets(Settings.from_env(environ))
    assert str(refused.value) == (
        f"ORCHARD_SUBNETS= with ORCHARD_SERVICE_ROLE={role}: it must be subnets that, like their VPC, "
        "have the tag for-use-with-amazon-emr-managed-policies=true: this role can start nodes only there. "
        "Correct ORCHARD_SUBNETS."
    )
    validate_subnets(Settings.from_env({**environ, "ORCHARD_SUBNETS": "subnet-1"}))


def test_another_role_and_a_lake_on_a_disk_may_do_without_subnets() -> None:
    for more in ({"ORCHARD_SERVICE_ROLE": "ours"}, {"ORCHARD_LAKE": "file:///lake"}):
        validate_subnets(Settings.from_env({**LEAST, **more}))


def test_the_region_reaches_the_nodes() -> None:
    defaults, spark_env = request(ORCHARD_REGION="eu-west-3", ORCHARD_TASK_NODES="3")["Configurations"]  # type: ignore[misc]
    assert defaults["Properties"]["spark.executorEnv.AWS_REGION"] == "eu-west-3"
    assert defaults["Properties"]["spark.hadoop.fs.s3a.endpoint.region"] == "eu-west-3"
    assert defaults["Properties"]["spark.executor.instances"] == "5"
    exports = spark_env["Configurations"][0]["Properties"]
    assert exports == {"PYSPARK_PYTHON": "/opt/orchard/venv/bin/python", "AWS_REGION": "eu-west-3"}


def test_spot_task_nodes_become_on_demand_where_there_is_no_spot() -> None:
    instances = request(ORCHARD_TASK_NODES="4")["Instances"]
    task = instances["InstanceFleets"][2]  # type: ignore[index]
    assert (task["InstanceFleetType"], task["TargetSpotCapacity"]) == ("TASK", 4)
    assert task["LaunchSpecifications"] == {
        "SpotSpecification": {
            "AllocationStrategy": "price-capacity-optimized",
            "TimeoutDurationMinutes": 10,
            "TimeoutAction": "SWITCH_TO_ON_DEMAND",
        }
    }


def test_the_same_run_id_on_another_lake_has_other_tags() -> None:
    first = run_tags("d", "scheduled__1", Settings.from_env(LEAST))
    second = run_tags("d", "scheduled__1", Settings.from_env({**LEAST, "ORCHARD_LAKE": "s3://other"}))
    assert first["orchard:run"] == second["orchard:run"]
    assert first["orchard:lake"] != second["orchard:lake"]
    assert cluster_name(first) != cluster_name(second)


@given(st.text(max_size=28))
@example("manual__2026-11-22T06:48:26.557022+00:00")
@example("a=7E~%41 \n")
@example("été/\U0001f34e@…")
def test_a_run_id_can_be_read_back_from_its_tag(run_id: str) -> None:
    tag = format_run_tag(run_id)
    assert re.fullmatch(r"[A-Za-z0-9_.:/=+@-]{0,256}", tag)
    assert parse_run_tag(tag) == run_id


@given(st.from_regex(r"[A-Za-z0-9_.~:+-]{1,85}", fullmatch=True))
def test_the_run_ids_that_airflow_allows_fit_into_a_tag(run_id: str) -> None:
    assert parse_run_tag(format_run_tag(run_id)) == run_id


def test_an_ordinary_run_id_is_legible_in_its_tag() -> None:
    run_id = "scheduled__2026-11-22T02:00:00+00:00"
    assert format_run_tag(run_id) == run_id


def test_a_run_id_that_no_tag_holds_is_refused() -> None:
    assert len(format_run_tag("x" * 250)) == 250  # the longest that Airflow stores
    with pytest.raises(OrchardError, match=r"^run id ~+: it must fit in a tag of 256 characters"):
        format_run_tag("~" * 86)


def test_no_dag_has_a_name_too_long_for_its_cluster() -> None:
    tags = run_tags("d" * 250, "r" * 250, Settings.from_env(LEAST))
    assert len(cluster_name(tags)) <= 256


def test_a_driver_in_a_container_gets_what_the_primary_node_would_give_it() -> None:
    client, cluster = (
        request(ORCHARD_REGION="eu-west-3", ORCHARD_DEPLOY_MODE=mode)["Configurations"][0]["Properties"]  # type: ignore[index]
        for mode in ("client", "cluster")
    )
    assert dict(cluster.items() - client.items()) == {
        "spark.driver.memory": "2g",
        "spark.driver.memoryOverhead": "1g",
        "spark.executor.memoryOverhead": "5g",
        "spark.yarn.maxAppAttempts": "1",
        "spark.yarn.appMasterEnv.AWS_REGION": "eu-west-3",
    }
