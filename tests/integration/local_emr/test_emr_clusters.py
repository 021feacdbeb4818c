"""A cluster's lifecycle: its states, their causes, and its descriptions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_emr.faults import Fault
from local_emr.server import EmrServer
from tests.support.local_emr_client import (
    ENDED,
    Json,
    a_cluster,
    bash_step,
    describe,
    state_of,
    step_states,
    wait_for_cluster,
)
from tests.support.polling import wait_for

Run = Callable[..., str]


def reason(status: Json) -> Json:
    return {"State": status["State"], **status["StateChangeReason"]}


def bootstrap(script: Path, *args: str) -> Json:
    return {"Name": script.stem, "ScriptBootstrapAction": {"Path": script.as_uri(), "Args": list(args)}}


def test_a_cluster_without_steps_waits_and_is_terminated_on_request(emr: Any, run: Run) -> None:
    cluster_id = run()
    assert reason(wait_for_cluster(emr, cluster_id, "WAITING")) == {
        "State": "WAITING",
        "Message": "Cluster ready to run steps.",
    }
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    status = wait_for_cluster(emr, cluster_id, "TERMINATED")
    assert reason(status) == {
        "State": "TERMINATED",
        "Code": "USER_REQUEST",
        "Message": "Terminated by user request",
    }
    timeline = status["Timeline"]
    assert timeline["CreationDateTime"] <= timeline["ReadyDateTime"] <= timeline["EndDateTime"]
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert state_of(emr, cluster_id) == "TERMINATED"


def test_a_cluster_is_described_as_it_was_asked_for(emr: Any, run: Run) -> None:
    configurations = [{"Classification": "spark-defaults", "Properties": {"spark.executor.cores": "4"}}]
    cluster_id = run(
        LogUri="s3://orchard/logs/",
        OSReleaseLabel="2023.9.20260817.0",
        Applications=[{"Name": "spark"}, {"Name": "Livy"}],
        Configurations=configurations,
        Tags=[{"Key": "orchard:run", "Value": "r1"}],
        StepConcurrencyLevel=2,
        Instances={"Ec2SubnetId": "subnet-1"},
    )
    wait_for_cluster(emr, cluster_id, "WAITING")
    cluster = describe(emr, cluster_id)
    del cluster["Status"]
    assert cluster == {
        "Id": cluster_id,
        "Name": "orchard",
        "NormalizedInstanceHours": 0,
        "ClusterArn": f"arn:aws:elasticmapreduce:us-east-1:000000000000:cluster/{cluster_id}",
        "LogUri": "s3://orchard/logs/",
        "ReleaseLabel": "emr-spark-8.1.0",
        "ServiceRole": "OrchardEmrService",
        "OSReleaseLabel": "2023.9.20260817.0",
        "Applications": [{"Name": "Spark", "Version": "4.1.1"}, {"Name": "Livy"}],
        "Configurations": configurations,
        "Ec2InstanceAttributes": {
            "Ec2SubnetId": "subnet-1",
            "RequestedEc2SubnetIds": [],
            "IamInstanceProfile": "OrchardEmrNode",
        },
        "InstanceCollectionType": "INSTANCE_FLEET",
        "AutoTerminate": False,
        "TerminationProtected": False,
        "VisibleToAllUsers": True,
        "Tags": [{"Key": "orchard:run", "Value": "r1"}],
        "MasterPublicDnsName": "localhost",
        "StepConcurrencyLevel": 2,
    }


def test_a_cluster_that_is_not_kept_alive_ends_after_its_last_step(emr: Any, run: Run) -> None:
    cluster_id = run(
        Steps=[bash_step("exit 0", name="good"), bash_step("exit 1", name="bad")],
        Instances={"KeepJobFlowAliveWhenNoSteps": False},
    )
    assert reason(wait_for_cluster(emr, cluster_id, *ENDED)) == {
        "State": "TERMINATED",
        "Code": "ALL_STEPS_COMPLETED",
        "Message": "Steps completed with errors",
    }
    assert step_states(emr, cluster_id) == {"good": "COMPLETED", "bad": "FAILED"}


def test_keeping_alive_may_be_switched_off_later(emr: Any, run: Run) -> None:
    cluster_id = run()
    wait_for_cluster(emr, cluster_id, "WAITING")
    emr.set_keep_job_flow_alive_when_no_steps(JobFlowIds=[cluster_id], KeepJobFlowAliveWhenNoSteps=False)
    assert reason(wait_for_cluster(emr, cluster_id, *ENDED))["Code"] == "ALL_STEPS_COMPLETED"


def test_bootstrap_actions_run_in_order_with_their_arguments_before_any_step(
    emr: Any, run: Run, tmp_path: Path
) -> None:
    script = tmp_path / "append.sh"
    script.write_text('[[ -z ${SPARK_HOME:-} ]] && printf "%s\\n" "$2" >> "$1"')
    trace = tmp_path / "trace"
    cluster_id = run(
        BootstrapActions=[bootstrap(script, str(trace), "one two"), bootstrap(script, str(trace), "$HOME")],
        Steps=[bash_step(f"echo step >> {trace}")],
    )
    wait_for_cluster(emr, cluster_id, "WAITING")
    assert trace.read_text().splitlines() == ["one two", "$HOME", "step"]
    assert emr.list_bootstrap_actions(ClusterId=cluster_id)["BootstrapActions"] == [
        {"Name": "append", "ScriptPath": script.as_uri(), "Args": [str(trace), "one two"]},
        {"Name": "append", "ScriptPath": script.as_uri(), "Args": [str(trace), "$HOME"]},
    ]


@pytest.mark.parametrize("exists", [True, False], ids=["non-zero exit", "no such script"])
def test_a_failed_bootstrap_action_terminates_the_cluster_with_errors(
    emr: Any, run: Run, tmp_path: Path, exists: bool
) -> None:
    script = tmp_path / "bad.sh"
    if exists:
        script.write_text("exit 3")
    cluster_id = run(BootstrapActions=[bootstrap(script)], Steps=[bash_step("exit 0", name="never")])
    status = wait_for_cluster(emr, cluster_id, *ENDED)
    master = emr.list_instances(ClusterId=cluster_id, InstanceFleetType="MASTER")["Instances"][0]
    assert reason(status) == {
        "State": "TERMINATED_WITH_ERRORS",
        "Code": "BOOTSTRAP_FAILURE",
        "Message": f"On the master instance ({master['Ec2InstanceId']}), bootstrap action 1 returned "
        "a non-zero return code",
    }
    assert step_states(emr, cluster_id) == {"never": "CANCELLED"}
    assert "ReadyDateTime" not in status["Timeline"]


def test_a_cluster_can_be_terminated_while_it_bootstraps(emr: Any, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "slow.sh"
    script.write_text("sleep 300")
    cluster_id = run(BootstrapActions=[bootstrap(script)])
    wait_for_cluster(emr, cluster_id, "BOOTSTRAPPING")
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert reason(wait_for_cluster(emr, cluster_id, *ENDED))["Code"] == "USER_REQUEST"


def test_a_protected_cluster_is_not_terminated_until_it_is_unlocked(emr: Any, run: Run) -> None:
    protected, other = run(Instances={"TerminationProtected": True}), run()
    with pytest.raises(ClientError) as refused:
        emr.terminate_job_flows(JobFlowIds=[other, protected])
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "Could not shut down one or more job flows since they are termination protected.",
    }
    assert wait_for_cluster(emr, other, "WAITING")
    emr.set_termination_protection(JobFlowIds=[protected], TerminationProtected=False)
    emr.terminate_job_flows(JobFlowIds=[other, protected])
    assert wait_for_cluster(emr, protected, "TERMINATED")


def test_an_idle_cluster_terminates_itself(emr: Any, run: Run) -> None:
    cluster_id = run(AutoTerminationPolicy={"IdleTimeout": 60}, Steps=[bash_step("sleep 1.5", name="busy")])
    status = wait_for_cluster(emr, cluster_id, *ENDED)
    assert status["State"] == "TERMINATED"
    assert step_states(emr, cluster_id) == {"busy": "COMPLETED"}
    # A minute of EMR's takes a second here, however slow the machine is.
    idle = status["Timeline"]["EndDateTime"] - status["Timeline"]["ReadyDateTime"]
    assert dt.timedelta(seconds=2.4) < idle < dt.timedelta(seconds=60)


def test_an_auto_termination_policy_is_put_read_and_removed(emr: Any, run: Run) -> None:
    cluster_id = run()
    assert "AutoTerminationPolicy" not in emr.get_auto_termination_policy(ClusterId=cluster_id)
    emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 3600})
    policy = emr.get_auto_termination_policy(ClusterId=cluster_id)["AutoTerminationPolicy"]
    assert policy == {"IdleTimeout": 3600}
    emr.remove_auto_termination_policy(ClusterId=cluster_id)
    assert "AutoTerminationPolicy" not in emr.get_auto_termination_policy(ClusterId=cluster_id)
    wait_for_cluster(emr, cluster_id, "WAITING")
    emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 60})
    assert wait_for_cluster(emr, cluster_id, "TERMINATED")


LIMITS = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 5}


def test_a_managed_scaling_policy_is_put_read_and_removed(emr: Any, run: Run) -> None:
    cluster_id = run(ManagedScalingPolicy={"ComputeLimits": LIMITS})
    assert emr.get_managed_scaling_policy(ClusterId=cluster_id)["ManagedScalingPolicy"] == {
        "ComputeLimits": LIMITS
    }
    wider = {"ComputeLimits": {**LIMITS, "MaximumCapacityUnits": 9, "MaximumCoreCapacityUnits": 2}}
    emr.put_managed_scaling_policy(ClusterId=cluster_id, ManagedScalingPolicy=wider)
    assert emr.get_managed_scaling_policy(ClusterId=cluster_id)["ManagedScalingPolicy"] == wider
    emr.remove_managed_scaling_policy(ClusterId=cluster_id)
    assert "ManagedScalingPolicy" not in emr.get_managed_scaling_policy(ClusterId=cluster_id)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"MinimumCapacityUnits": 6}, "The min capacity is 6 and the max capacity 5"),
        ({"MinimumCapacityUnits": 0}, "The min capacity is 0 and the max capacity 5"),
        ({"MaximumCoreCapacityUnits": 6}, "The max Core capacity cannot be higher than max capacity"),
        ({"MaximumOnDemandCapacityUnits": 6}, "The max OnDemand capacity cannot be higher than max capacity"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(
    emr: Any, run: Run, limits: Json, message: str
) -> None:
    policy = {"ComputeLimits": LIMITS | limits}
    for refused in (
        lambda: run(ManagedScalingPolicy=policy),
        lambda: emr.put_managed_scaling_policy(ClusterId=run(), ManagedScalingPolicy=policy),
    ):
        with pytest.raises(ClientError, match=message) as error:
            refused()
        assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_cluster_without_capacity_stays_starting_and_ends_with_errors(
    emr: Any, run: Run, server: EmrServer
) -> None:
    server.faults.add(Fault(kind="no_capacity", times=1))
    cluster_id, lucky = run(Steps=[bash_step("exit 0", name="never")]), run()
    assert wait_for_cluster(emr, lucky, "WAITING")
    assert state_of(emr, cluster_id) == "STARTING"
    assert reason(wait_for_cluster(emr, cluster_id, *ENDED)) == {
        "State": "TERMINATED_WITH_ERRORS",
        "Code": "INSTANCE_FLEET_TIMEOUT",
        "Message": "The instance fleets could not be provisioned: no capacity",
    }


def test_instances_answer_what_the_fleets_ask_for(emr: Any, run: Run) -> None:
    cluster_id = run()
    wait_for_cluster(emr, cluster_id, "WAITING")
    fleets = emr.list_instance_fleets(ClusterId=cluster_id)["InstanceFleets"]
    columns = ("InstanceFleetType", "ProvisionedOnDemandCapacity", "ProvisionedSpotCapacity")
    assert [tuple(fleet[column] for column in columns) for fleet in fleets] == [
        ("MASTER", 1, 0),
        ("TASK", 0, 4),
    ]
    instances = emr.list_instances(ClusterId=cluster_id, InstanceStates=["RUNNING"])["Instances"]
    assert [(i["InstanceFleetId"], i["InstanceType"], i["Market"]) for i in instances] == [
        (fleets[0]["Id"], "m5.xlarge", "ON_DEMAND"),
        (fleets[1]["Id"], "m6i.xlarge", "SPOT"),
        (fleets[1]["Id"], "m6i.xlarge", "SPOT"),
    ]
    assert emr.list_instances(ClusterId=cluster_id, InstanceFleetType="TASK")["Instances"] == instances[1:]
    assert emr.list_instances(ClusterId=cluster_id, InstanceStates=["TERMINATED"])["Instances"] == []


VOLUMES = {
    "EbsBlockDeviceConfigs": [
        {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64}, "VolumesPerInstance": 2},
        {"VolumeSpecification": {"VolumeType": "io1", "SizeInGB": 10, "Iops": 100}},
    ],
    "EbsOptimized": True,
}
DEVICES = [
    {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64}, "Device": "/dev/sdb"},
    {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64}, "Device": "/dev/sdc"},
    {"VolumeSpecification": {"VolumeType": "io1", "SizeInGB": 10, "Iops": 100}, "Device": "/dev/sdd"},
]


def test_the_volumes_of_a_fleets_types_are_told(emr: Any, run: Run) -> None:
    fleet = {
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge", "EbsConfiguration": VOLUMES}],
    }
    cluster_id = run(Instances={"InstanceFleets": [fleet]})
    listed = emr.list_instance_fleets(ClusterId=cluster_id)["InstanceFleets"][0]
    specification = listed["InstanceTypeSpecifications"][0]
    assert (specification["EbsBlockDevices"], specification["EbsOptimized"]) == (DEVICES, True)


def test_the_volumes_of_a_group_are_told(emr: Any, run: Run) -> None:
    asked = a_cluster()
    group = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
    with_volumes = {**group, "EbsConfiguration": VOLUMES}
    asked["Instances"] = {"InstanceGroups": [with_volumes], "KeepJobFlowAliveWhenNoSteps": True}
    cluster_id = emr.run_job_flow(**asked)["JobFlowId"]
    listed = emr.list_instance_groups(ClusterId=cluster_id)["InstanceGroups"][0]
    assert (listed["EbsBlockDevices"], listed["EbsOptimized"]) == (DEVICES, True)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])


def test_a_cluster_that_asks_for_no_more_than_it_must_is_described_with_empty_lists(
    emr: Any, run: Run
) -> None:
    """Some clients read these lists without a check."""
    cluster = describe(emr, run(Applications=[]))
    assert (cluster["Applications"], cluster["Configurations"], cluster["Tags"]) == ([], [], [])


def test_instance_groups_and_the_short_form_are_listed_as_groups(emr: Any, run: Run) -> None:
    short = {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.2xlarge", "InstanceCount": 3}
    asked = a_cluster()
    asked["Instances"] = {**short, "KeepJobFlowAliveWhenNoSteps": True}
    cluster_id = emr.run_job_flow(**asked)["JobFlowId"]
    wait_for_cluster(emr, cluster_id, "WAITING")
    groups = emr.list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
    assert [(g["InstanceGroupType"], g["InstanceType"], g["RunningInstanceCount"]) for g in groups] == [
        ("MASTER", "m5.xlarge", 1),
        ("CORE", "m5.2xlarge", 2),
    ]
    with pytest.raises(ClientError, match="mutually exclusive"):
        emr.list_instance_fleets(ClusterId=cluster_id)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])


def test_clusters_are_listed_by_time_and_state_over_several_pages(emr: Any, run: Run) -> None:
    before = dt.datetime.now(dt.UTC)
    ids = [run(Name=f"cluster {number}") for number in range(5)]
    emr.terminate_job_flows(JobFlowIds=[ids[2]])
    wait_for_cluster(emr, ids[2], "TERMINATED")

    def listed(**filters: Any) -> list[str]:
        pages = list(emr.get_paginator("list_clusters").paginate(CreatedAfter=before, **filters))
        assert all(len(page["Clusters"]) <= 3 for page in pages)
        return [cluster["Id"] for page in pages for cluster in page["Clusters"]]

    assert listed() == ids[::-1]
    assert listed(ClusterStates=["TERMINATED"]) == [ids[2]]
    assert listed(CreatedBefore=before) == []


def test_a_page_of_clusters_in_a_state_is_followed_by_the_next_though_its_last_has_left_the_state(
    emr: Any, run: Run
) -> None:
    before = dt.datetime.now(dt.UTC)
    ids = [run(Name=f"cluster {number}") for number in range(5)]
    for cluster_id in ids:
        wait_for_cluster(emr, cluster_id, "WAITING")
    asked = {"CreatedAfter": before, "ClusterStates": ["WAITING"]}
    first = emr.list_clusters(**asked)
    last = first["Clusters"][-1]["Id"]
    emr.terminate_job_flows(JobFlowIds=[last])
    wait_for_cluster(emr, last, "TERMINATED")
    second = emr.list_clusters(**asked, Marker=first["Marker"])
    assert [cluster["Id"] for page in (first, second) for cluster in page["Clusters"]] == ids[::-1]


def test_a_marker_that_no_page_gave_is_refused(emr: Any) -> None:
    with pytest.raises(ClientError, match="Marker 'nonsense' is not valid"):
        emr.list_clusters(Marker="nonsense")


def test_tags_are_added_replaced_and_removed(emr: Any, run: Run) -> None:
    cluster_id = run(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    emr.add_tags(ResourceId=cluster_id, Tags=[{"Key": "a", "Value": "3"}, {"Key": "c"}])
    emr.remove_tags(ResourceId=cluster_id, TagKeys=["b", "never there"])
    assert describe(emr, cluster_id)["Tags"] == [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}]


def test_nothing_of_a_cluster_stays_on_the_disk(emr: Any, run: Run, work_dir: Path) -> None:
    cluster_id = run(Steps=[bash_step("echo x > here; sleep 300")])
    wait_for(lambda: list((work_dir / cluster_id).glob("steps/*/here")), "the step to write")
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    wait_for_cluster(emr, cluster_id, "TERMINATED")
    assert not (work_dir / cluster_id).exists()
