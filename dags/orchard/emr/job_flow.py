"""Build EMR's RunJobFlow request for a run. Pure.

RunJobFlow lacks two things: IMDSv2, which comes from the security configuration or the account's default, and
a client token, so the tags below prevent a second cluster (see ``orchard_airflow.operators.create_cluster``).
"""

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from orchard.lake.event_logs import event_log_conf
from orchard.lake.layout import run_slug
from orchard.settings.cluster import DEFAULT_ROLE, Fleet
from orchard.settings.env import require
from orchard.settings.settings import Settings
from orchard.settings.sizing import spark_sizes
from orchard_airflow.emr_api import ClusterGroup
from orchard_jobs.contract import JAVA_OPTIONS
from orchard_jobs.errors import OrchardError

DAG_TAG = "orchard:dag"
RUN_TAG = "orchard:run"
LAKE_TAG = "orchard:lake"

EMR_TAG = "for-use-with-amazon-emr-managed-policies"
"""AWS's AmazonEMRServicePolicy_v2 only allows actions on resources with this tag: clusters, subnets, security
groups."""

CANARY_DAG = "orchard_canary"
"""What the clusters of ``orchard canary`` have for a DAG: Airflow knows none of this name."""

LONGEST_TAG = 256
"""Maximum characters of a tag's value, and of a cluster's name."""


def run_tags(dag_id: str, run_id: str, settings: Settings) -> dict[str, str]:
    """Return the tags that identify a run's cluster.

    They include the lake, because two Airflows in one account can have the same DAG and run ids.

    Raises:
        OrchardError: if the run id does not fit in a tag.
    """
    return {DAG_TAG: dag_id, RUN_TAG: format_run_tag(run_id), LAKE_TAG: _format_lake_tag(settings)}


def format_run_tag(run_id: str) -> str:
    """Encode a run id as a tag value, which ``parse_run_tag`` decodes.

    EMR tags allow letters, digits, spaces and ``_.:/=+-@``. All other characters, and spaces, which may be
    trimmed, are percent-encoded, with ``=`` instead of ``%``.

    Raises:
        OrchardError: if the result is too long for a tag.
    """
    tag = quote(run_id, safe="/:+@").replace("~", "%7E").replace("%", "=")
    if len(tag) > LONGEST_TAG:
        raise OrchardError(
            f"run id {run_id}",
            rule=f"it must fit in a tag of {LONGEST_TAG} characters; any but A-Z a-z 0-9 _.:/+-@ count as 3",
            remedy="trigger the run again with a shorter run id",
        )
    return tag


def parse_run_tag(tag: str) -> str:
    """Decode the run id from a tag by ``format_run_tag``."""
    return unquote(tag.replace("=", "%"))


def cluster_name(tags: Mapping[str, str]) -> str:
    """Return the unique name of a run's cluster: ListClusters returns names, but not tags."""
    dag_id = tags[DAG_TAG]
    return f"{dag_id[:100]} {run_slug(parse_run_tag(tags[RUN_TAG]), dag_id)}{_name_suffix(tags[LAKE_TAG])}"


def lake_clusters(settings: Settings) -> ClusterGroup:
    """Return the group of this lake's clusters, of any DAG."""
    tag = _format_lake_tag(settings)
    return ClusterGroup(_name_suffix(tag), tags={LAKE_TAG: tag}, most=settings.limits.max_clusters)


def run_job_flow(tags: dict[str, str], core_nodes: int, settings: Settings) -> dict[str, Any]:
    """Return the RunJobFlow request for a run's cluster."""
    fleet, places = settings.fleet, settings.places
    request = {
        "Name": cluster_name(tags),
        "LogUri": f"{places.logs}/",
        "ReleaseLabel": fleet.release,
        "Applications": [{"Name": "Spark"}],
        "Instances": _instances(fleet, core_nodes),
        "BootstrapActions": [_bootstrap_action(fleet, places.code)],
        "Configurations": _configurations(core_nodes, settings),
        "JobFlowRole": fleet.instance_profile,
        "ServiceRole": fleet.service_role,
        "VisibleToAllUsers": True,
        "StepConcurrencyLevel": 1,
        "AutoTerminationPolicy": {"IdleTimeout": fleet.idle_timeout},
        "Tags": [{"Key": key, "Value": value} for key, value in {**tags, EMR_TAG: "true"}.items()],
    }
    if fleet.security_configuration:
        request["SecurityConfiguration"] = fleet.security_configuration
    return request


def validate_subnets(settings: Settings) -> None:
    """Detect early that EC2 would deny EMR to start the cluster. Only for lakes in S3, which imply AWS.

    Raises:
        OrchardError: if no subnets are set, but EMR's role may only use tagged ones.
    """
    fleet = settings.fleet
    is_default = fleet.service_role.rpartition("/")[2] == DEFAULT_ROLE
    is_reachable = fleet.subnets or not is_default or not settings.places.lake.startswith("s3://")
    require(
        bool(is_reachable),
        "subnets",
        f" with ORCHARD_SERVICE_ROLE={fleet.service_role}",
        f"subnets that, like their VPC, have the tag {EMR_TAG}=true: this role can start nodes only there",
    )


def _format_lake_tag(settings: Settings) -> str:
    return run_slug(settings.places.lake)


def _name_suffix(lake_tag: str) -> str:
    return f" {lake_tag.rpartition('-')[2]}"


def _instances(fleet: Fleet, core_nodes: int) -> dict[str, Any]:
    instances: dict[str, Any] = {
        "InstanceFleets": _fleets(fleet, core_nodes),
        # Steps are added one by one, each by its own Airflow task.
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
    }
    if fleet.subnets:
        instances["Ec2SubnetIds"] = list(fleet.subnets)
    if fleet.security_groups:
        nodes, service = fleet.security_groups
        instances |= {
            "EmrManagedMasterSecurityGroup": nodes,
            "EmrManagedSlaveSecurityGroup": nodes,
            "ServiceAccessSecurityGroup": service,
        }
    return instances


def _fleets(fleet: Fleet, core_nodes: int) -> list[dict[str, Any]]:
    on_demand = {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}}
    fleets = [
        _fleet("MASTER", fleet.primary_types, fleet.ebs_gib, on_demand) | {"TargetOnDemandCapacity": 1},
        _fleet("CORE", fleet.core_types, fleet.ebs_gib, on_demand) | {"TargetOnDemandCapacity": core_nodes},
    ]
    if fleet.task_nodes:
        spot = {
            "SpotSpecification": {
                "AllocationStrategy": "price-capacity-optimized",
                "TimeoutDurationMinutes": 10,
                "TimeoutAction": "SWITCH_TO_ON_DEMAND",
            }
        }
        fleets.append(
            _fleet("TASK", fleet.task_types, fleet.ebs_gib, spot) | {"TargetSpotCapacity": fleet.task_nodes}
        )
    return fleets


def _fleet(kind: str, types: tuple[str, ...], ebs_gib: int, launch: dict[str, Any]) -> dict[str, Any]:
    volume = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": ebs_gib}, "VolumesPerInstance": 1}
    return {
        "Name": kind.lower(),
        "InstanceFleetType": kind,
        "InstanceTypeConfigs": [
            {
                "InstanceType": instance_type,
                "WeightedCapacity": 1,
                "EbsConfiguration": {"EbsBlockDeviceConfigs": [volume]},
            }
            for instance_type in types
        ],
        "LaunchSpecifications": launch,
    }


def _bootstrap_action(fleet: Fleet, code: str) -> dict[str, Any]:
    arguments = ["--target", fleet.node_env, "--source", code, *shlex.split(fleet.bootstrap_args)]
    return {
        "Name": "install the Python environment",
        "ScriptBootstrapAction": {"Path": f"{code}/install_node.sh", "Args": arguments},
    }


def _configurations(core_nodes: int, settings: Settings) -> list[dict[str, Any]]:
    fleet, region = settings.fleet, settings.access.region
    spark = spark_sizes(fleet, settings.spark)
    python = f"{fleet.node_env}/bin/python"
    # Python code that reads S3 without S3A takes its region from there.
    exports = {"PYSPARK_PYTHON": python, **({"AWS_REGION": region} if region else {})}
    return [
        {
            "Classification": "spark-defaults",
            "Properties": {
                "spark.pyspark.python": python,
                "spark.pyspark.driver.python": python,
                "spark.driver.memory": spark.driver_memory,
                "spark.executor.memory": spark.executor_memory,
                "spark.executor.memoryOverhead": spark.executor_overhead,
                "spark.driver.extraJavaOptions": JAVA_OPTIONS,
                "spark.executor.extraJavaOptions": JAVA_OPTIONS,
                "spark.executor.cores": str(spark.executor_cores),
                # Initially one per node; dynamic allocation adds more if there is room.
                "spark.executor.instances": str(core_nodes + fleet.task_nodes),
                **(_region_properties(region) if region else {}),
                **event_log_conf(settings.places.logs),
                **(
                    _container_driver_properties(spark.driver_overhead, region)
                    if spark.driver_overhead
                    else {}
                ),
            },
        },
        {
            "Classification": "spark-env",
            "Properties": {},
            "Configurations": [{"Classification": "export", "Properties": exports}],
        },
    ]


def _region_properties(region: str) -> dict[str, str]:
    return {
        "spark.executorEnv.AWS_REGION": region,
        # Otherwise S3A asks us-east-2 first, which is unreachable from a network without egress.
        # https://hadoop.apache.org/docs/current/hadoop-aws/tools/hadoop-aws/connecting.html
        "spark.hadoop.fs.s3a.endpoint.region": region,
    }


def _container_driver_properties(overhead: str, region: str | None) -> dict[str, str]:
    return {
        "spark.driver.memoryOverhead": overhead,
        # The Airflow task retries a failed job and logs why; YARN would retry it first, unseen. YARN does not
        # count attempts that ended because their node was lost.
        "spark.yarn.maxAppAttempts": "1",
        # spark-env only exports to the primary node.
        **({"spark.yarn.appMasterEnv.AWS_REGION": region} if region else {}),
    }
