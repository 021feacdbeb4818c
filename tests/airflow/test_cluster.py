"""The request of RunJobFlow, whole, and checked by botocore's model of the service."""

import botocore.session
import pytest
from botocore.validate import ParamValidator

from orchard.cluster import cluster_name, run_job_flow, run_tags
from orchard.settings import Settings

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
            "ORCHARD_SECURITY_CONFIGURATION": "imdsv2",
        },
    ],
)
def test_the_request_satisfies_botocores_model(environ: dict[str, str]) -> None:
    model = botocore.session.get_session().get_service_model("emr").operation_model("RunJobFlow")
    report = ParamValidator().validate(request(**environ), model.input_shape)
    assert report.generate_report() == ""


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
        "Name": "d r l",
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
                    "spark.executor.cores": "4",
                    "spark.executor.instances": "5",
                    "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a": (
                        "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory"
                    ),
                    "spark.hadoop.fs.s3a.committer.name": "magicv2",
                    "spark.hadoop.fs.s3a.committer.magic.enabled": "true",
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


def test_the_region_reaches_the_nodes() -> None:
    defaults, spark_env = request(ORCHARD_REGION="eu-west-3", ORCHARD_TASK_NODES="3")["Configurations"]  # type: ignore[misc]
    assert defaults["Properties"]["spark.executorEnv.AWS_REGION"] == "eu-west-3"
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
