"""Clusters, steps and instances as EMR describes them. Times are seconds since 1970, as in AWS JSON 1.1."""

from __future__ import annotations

import os
import string
from typing import Any

from local_emr.clusters.cluster import TERMINAL, Cluster
from local_emr.clusters.hardware import Collection, Instance
from local_emr.clusters.step import Step
from local_emr.service_model import Parameters
from local_emr.validation.releases import describe_applications

_INSTANCE_STATES = {
    "STARTING": "PROVISIONING",
    "BOOTSTRAPPING": "BOOTSTRAPPING",
    "TERMINATED": "TERMINATED",
    "TERMINATED_WITH_ERRORS": "TERMINATED",
}
# Members that RunJobFlow and DescribeCluster share.
_TOLD_AS_ASKED = (
    "LogUri",
    "LogEncryptionKmsKeyId",
    "ReleaseLabel",
    "OSReleaseLabel",
    "ServiceRole",
    "AutoScalingRole",
    "SecurityConfiguration",
    "CustomAmiId",
    "RepoUpgradeOnBoot",
    "EbsRootVolumeSize",
    "EbsRootVolumeIops",
    "EbsRootVolumeThroughput",
    "ScaleDownBehavior",
    "ExtendedSupport",
    "MonitoringConfiguration",
)


def format_arn(cluster: Cluster) -> str:
    """Format the cluster's ARN, in a made-up account."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return f"arn:aws:elasticmapreduce:{region}:000000000000:cluster/{cluster.cluster_id}"


def summarise_cluster(cluster: Cluster) -> Parameters:
    """An item of ListClusters."""
    return {
        "Id": cluster.cluster_id,
        "Name": cluster.request["Name"],
        "Status": {
            "State": cluster.state,
            "StateChangeReason": {"Code": cluster.code, "Message": cluster.message},
            "Timeline": _timeline(cluster.created, cluster.ready, cluster.ended),
        },
        "NormalizedInstanceHours": 0,
        "ClusterArn": format_arn(cluster),
    }


def describe_cluster(cluster: Cluster) -> Parameters:
    """DescribeCluster's Cluster."""
    request, instances = cluster.request, cluster.request["Instances"]
    subnets, placement = instances.get("Ec2SubnetIds", []), instances.get("Placement", {})
    return {
        **summarise_cluster(cluster),
        **{name: request.get(name) for name in _TOLD_AS_ASKED},
        "Applications": describe_applications(request, cluster.settings.releases),
        "Configurations": request.get("Configurations", []),
        "PlacementGroups": request.get("PlacementGroupConfigs"),
        "UnhealthyNodeReplacement": instances.get("UnhealthyNodeReplacement"),
        "Ec2InstanceAttributes": {
            "Ec2KeyName": instances.get("Ec2KeyName"),
            "Ec2SubnetId": instances.get("Ec2SubnetId", subnets[0] if subnets else None),
            "RequestedEc2SubnetIds": subnets,
            "Ec2AvailabilityZone": placement.get("AvailabilityZone"),
            "RequestedEc2AvailabilityZones": placement.get("AvailabilityZones"),
            "IamInstanceProfile": request["JobFlowRole"],
            "EmrManagedMasterSecurityGroup": instances.get("EmrManagedMasterSecurityGroup"),
            "EmrManagedSlaveSecurityGroup": instances.get("EmrManagedSlaveSecurityGroup"),
            "ServiceAccessSecurityGroup": instances.get("ServiceAccessSecurityGroup"),
            "AdditionalMasterSecurityGroups": instances.get("AdditionalMasterSecurityGroups"),
            "AdditionalSlaveSecurityGroups": instances.get("AdditionalSlaveSecurityGroups"),
        },
        "InstanceCollectionType": cluster.hardware.kind,
        "AutoTerminate": not cluster.keep_alive,
        "TerminationProtected": cluster.termination_protected,
        "VisibleToAllUsers": cluster.visible,
        "Tags": [{"Key": key, "Value": value} for key, value in cluster.tags.items()],
        "MasterPublicDnsName": "localhost",
        "StepConcurrencyLevel": cluster.step_concurrency,
    }


def summarise_step(step: Step) -> Parameters:
    """An item of ListSteps."""
    jar_step = step.config["HadoopJarStep"]
    return {
        "Id": step.step_id,
        "Name": step.name,
        "Config": {
            "Jar": jar_step["Jar"],
            "Properties": {
                p["Key"]: p.get("Value", "") for p in jar_step.get("Properties", []) if "Key" in p
            },
            "MainClass": jar_step.get("MainClass"),
            "Args": jar_step.get("Args", []),
        },
        "ActionOnFailure": step.action_on_failure,
        "Status": {
            "State": step.state,
            "StateChangeReason": {"Message": step.state_message},
            "FailureDetails": _failure(step),
            "Timeline": {
                "CreationDateTime": step.created,
                "StartDateTime": step.started,
                "EndDateTime": step.ended,
            },
        },
        "LogUri": step.log_uri,
    }


def describe_step(step: Step) -> Parameters:
    """DescribeStep's Step."""
    return {**summarise_step(step), "ExecutionRoleArn": step.execution_role}


def describe_fleet(cluster: Cluster, fleet: Collection) -> Parameters:
    """An item of ListInstanceFleets."""
    config = fleet.config
    there = cluster.state != "STARTING" and cluster.ready is not None
    return {
        "Id": fleet.collection_id,
        "Name": config.get("Name"),
        "Status": _collection_status(cluster),
        "InstanceFleetType": fleet.role,
        "TargetOnDemandCapacity": config.get("TargetOnDemandCapacity", 0),
        "TargetSpotCapacity": config.get("TargetSpotCapacity", 0),
        "ProvisionedOnDemandCapacity": fleet.units("ON_DEMAND") if there else 0,
        "ProvisionedSpotCapacity": fleet.units("SPOT") if there else 0,
        "InstanceTypeSpecifications": [_type_specification(item) for item in config["InstanceTypeConfigs"]],
        "LaunchSpecifications": config.get("LaunchSpecifications"),
        "ResizeSpecifications": config.get("ResizeSpecifications"),
    }


def describe_group(cluster: Cluster, group: Collection) -> Parameters:
    """An item of ListInstanceGroups."""
    config = group.config
    running = len(group.instances) if cluster.ready is not None and cluster.state not in TERMINAL else 0
    return {
        "Id": group.collection_id,
        "Name": config.get("Name"),
        "Market": config.get("Market", "ON_DEMAND"),
        "InstanceGroupType": group.role,
        "BidPrice": config.get("BidPrice"),
        "InstanceType": config["InstanceType"],
        "RequestedInstanceCount": config["InstanceCount"],
        "RunningInstanceCount": running,
        "Status": _collection_status(cluster),
        "Configurations": config.get("Configurations", []),
        "CustomAmiId": config.get("CustomAmiId"),
        **_storage(config),
    }


def describe_instance(cluster: Cluster, collection: Collection, instance: Instance) -> Parameters:
    """An item of ListInstances."""
    identifier = "InstanceFleetId" if cluster.hardware.kind == "INSTANCE_FLEET" else "InstanceGroupId"
    return {
        "Id": f"ci-{instance.instance_id[2:15].upper()}",
        "Ec2InstanceId": instance.instance_id,
        "PublicDnsName": "localhost",
        "PrivateDnsName": "localhost",
        "PrivateIpAddress": "127.0.0.1",
        "Status": {
            "State": instance_state(cluster),
            "StateChangeReason": _ended_with_cluster(cluster),
            "Timeline": _timeline(cluster.created, cluster.ready, cluster.ended),
        },
        identifier: collection.collection_id,
        "Market": instance.market,
        "InstanceType": instance.instance_type,
    }


def instance_state(cluster: Cluster) -> str:
    """Return the state of every instance, which follows from the cluster's."""
    return _INSTANCE_STATES.get(cluster.state, "RUNNING")


def _collection_status(cluster: Cluster) -> Parameters:
    state = "TERMINATING" if cluster.state == "TERMINATING" else instance_state(cluster)
    return {
        "State": state,
        "StateChangeReason": _ended_with_cluster(cluster),
        "Timeline": _timeline(cluster.created, cluster.ready, cluster.ended),
    }


def _ended_with_cluster(cluster: Cluster) -> Parameters:
    if cluster.state not in TERMINAL:
        return {}
    return {"Code": "CLUSTER_TERMINATED", "Message": cluster.message}


def _type_specification(config: Parameters) -> Parameters:
    names = (
        "InstanceType",
        "WeightedCapacity",
        "BidPrice",
        "BidPriceAsPercentageOfOnDemandPrice",
        "Configurations",
        "CustomAmiId",
        "Priority",
    )
    specification: Parameters = {name: config[name] for name in names if name in config}
    if not {"BidPrice", "BidPriceAsPercentageOfOnDemandPrice"} & specification.keys():
        specification["BidPriceAsPercentageOfOnDemandPrice"] = 100.0
    return {"WeightedCapacity": 1, "Configurations": [], **specification, **_storage(config)}


def _storage(config: Parameters) -> Parameters:
    """List the volumes of an instance type or group, each with a device name like EMR's."""
    ebs = config.get("EbsConfiguration", {})
    volumes = [
        volume["VolumeSpecification"]
        for volume in ebs.get("EbsBlockDeviceConfigs", [])
        for _ in range(volume.get("VolumesPerInstance", 1))
    ]
    return {
        "EbsBlockDevices": [
            {"VolumeSpecification": volume, "Device": f"/dev/sd{letter}"}
            for volume, letter in zip(volumes, string.ascii_lowercase[1:], strict=False)
        ],
        "EbsOptimized": ebs.get("EbsOptimized"),
    }


def _failure(step: Step) -> dict[str, Any] | None:
    failure = step.failure
    if failure is None:
        return None
    return {"Reason": failure.reason, "Message": failure.message, "LogFile": failure.log_file}


def _timeline(created: float, ready: float | None, ended: float | None) -> Parameters:
    return {"CreationDateTime": created, "ReadyDateTime": ready, "EndDateTime": ended}
