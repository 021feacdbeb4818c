"""The stack of managed Airflow: what it makes, in which network, and that MWAA takes it."""

import re
from typing import Any

import boto3
import pytest
from botocore.validate import validate_parameters

from tests.support.checkout import ROOT
from tests.unit.infra.managed_airflow.conftest import OWN_NETWORK, Stacks, deploy_both
from tests.unit.infra.stack import ACCOUNT, LAKE, MANAGED_AIRFLOW, REGION, account, deploy, template

MADE_IN_ANY_NETWORK = {"Environment", "EnvironmentPolicy", "AirflowGroup", "Among"}
LOGS = {"TaskLog", "WorkerLog", "SchedulerLog", "WebServerLog", "DagProcessingLog"}
NETWORK = {"Vpc", "Subnet", "SecondSubnet", "PublicSubnet", "InternetGateway", "Attachment", "Address", "Nat"}
NETWORK |= {"PublicTable", "PublicRoute", "PublicRoutes", "Table", "WayOut", "Routes", "SecondRoutes"}
NETWORK |= {"S3Endpoint"}


def request_of(stacks: Stacks) -> dict[str, Any]:
    """Return what CloudFormation asks MWAA to make, as CreateEnvironment takes it."""
    properties = stacks.airflow.properties("Environment")
    numbers = {name: int(properties[name]) for name in ("MinWorkers", "MaxWorkers")}
    logging = {
        name: {**log, "Enabled": str(log["Enabled"]).lower() == "true"}
        for name, log in properties["LoggingConfiguration"].items()
    }
    return {**properties, **numbers, "LoggingConfiguration": logging}


@pytest.mark.parametrize("network", [{}, OWN_NETWORK], ids=["own", "given"])
def test_mwaa_takes_the_environment(network: dict[str, str]) -> None:
    """Against botocore's model: moto does not know MWAA."""
    with account():
        stacks = deploy_both(**network)
        model = boto3.client("mwaa", REGION).meta.service_model.operation_model("CreateEnvironment")
    request = request_of(stacks)
    validate_parameters(request, model.input_shape)
    assert request["Name"] == "my-airflow"
    role = stacks.lake.names["ManagedRole"]
    assert request["ExecutionRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/{role}"
    assert request["SourceBucketArn"] == f"arn:aws:s3:::{LAKE}"
    assert (request["DagS3Path"], request["PluginsS3Path"]) == ("dags", "plugins.zip")
    assert (request["RequirementsS3Path"], request["StartupScriptS3Path"]) == (
        "requirements.txt",
        "startup.sh",
    )
    assert len(set(request["NetworkConfiguration"]["SubnetIds"])) == 2
    assert not [name for name in request if name.endswith("ObjectVersion")]


def test_it_takes_the_versions_that_it_is_given() -> None:
    with account():
        stacks = deploy_both(PluginsVersion="p_1", RequirementsVersion="r.1", StartupScriptVersion="s1")
    versions = {k: v for k, v in request_of(stacks).items() if k.endswith("ObjectVersion")}
    assert versions == {
        "PluginsS3ObjectVersion": "p_1",
        "RequirementsS3ObjectVersion": "r.1",
        "StartupScriptS3ObjectVersion": "s1",
    }


@pytest.mark.parametrize("network", [{}, OWN_NETWORK], ids=["own", "given"])
def test_it_makes_a_network_only_where_none_is_given(network: dict[str, str]) -> None:
    with account():
        stacks = deploy_both(**network)
    expected = MADE_IN_ANY_NETWORK | LOGS | (set() if network else NETWORK)
    assert set(stacks.airflow.resources) == expected
    assert "${" not in str(stacks.airflow), "something is left unresolved"
    subnets = stacks.airflow.properties("Environment")["NetworkConfiguration"]["SubnetIds"]
    names = stacks.airflow.names
    assert subnets == (
        ["subnet-0a1b2c3d", "subnet-1a2b3c4d"] if network else [names["Subnet"], names["SecondSubnet"]]
    )


def test_all_resources_are_in_these_tables() -> None:
    assert set(template(MANAGED_AIRFLOW)["Resources"]) == MADE_IN_ANY_NETWORK | LOGS | NETWORK


def test_both_subnets_are_private_in_two_zones_with_a_way_out_through_one_nat_gateway() -> None:
    with account():
        names = deploy_both().airflow.names
        ec2 = boto3.client("ec2", REGION)
        subnets = ec2.describe_subnets(SubnetIds=[names["Subnet"], names["SecondSubnet"]])["Subnets"]
        (nat,) = ec2.describe_nat_gateways()["NatGateways"]
        private, public = (
            {
                route["DestinationCidrBlock"]: route.get("NatGatewayId") or route.get("GatewayId")
                for route in ec2.describe_route_tables(RouteTableIds=[names[name]])["RouteTables"][0][
                    "Routes"
                ]
                if "DestinationCidrBlock" in route
            }
            for name in ("Table", "PublicTable")
        )
        endpoints = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [names["Vpc"]]}])
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    assert {subnet["CidrBlock"] for subnet in subnets} == {"10.98.0.0/26", "10.98.0.64/26"}
    declared = template(MANAGED_AIRFLOW)["Resources"]
    assert {declared[name]["Properties"]["MapPublicIpOnLaunch"] for name in ("Subnet", "SecondSubnet")} == {
        False
    }
    assert nat["SubnetId"] == names["PublicSubnet"]
    assert private["0.0.0.0/0"] == names["Nat"]
    assert public["0.0.0.0/0"] == names["InternetGateway"]
    assert [one["VpcEndpointType"] for one in endpoints["VpcEndpoints"]] == ["Gateway"]


def test_the_environment_waits_for_its_way_out() -> None:
    """Its first act is to install requirements; CloudFormation makes in parallel what refers to nothing."""
    template_of = template(MANAGED_AIRFLOW)["Resources"]["Environment"]
    said = str(template_of["Properties"]["NetworkConfiguration"])
    assert {"WayOut", "Routes", "SecondRoutes"} <= set(re.findall(r"\w+", said))
    assert set(template_of["DependsOn"]) == {"EnvironmentPolicy"} | LOGS


def test_nothing_reaches_it_but_itself(stacks: Stacks) -> None:
    rules = stacks.airflow.of_type("AWS::EC2::SecurityGroupIngress").values()
    group = stacks.airflow.names["AirflowGroup"]
    assert [(rule["GroupId"], rule["SourceSecurityGroupId"]) for rule in rules] == [(group, group)]
    assert "SecurityGroupIngress" not in stacks.airflow.properties("AirflowGroup")


def test_its_logs_expire_and_are_those_that_mwaa_writes(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/mwaa/latest/userguide/monitoring-airflow.html"""
    logs = stacks.airflow.of_type("AWS::Logs::LogGroup").values()
    assert {log["LogGroupName"] for log in logs} == {
        f"airflow-my-airflow-{name}" for name in ("DAGProcessing", "Scheduler", "Task", "WebServer", "Worker")
    }
    assert {int(log["RetentionInDays"]) for log in logs} == {90}
    levels = stacks.airflow.properties("Environment")["LoggingConfiguration"]
    assert levels["TaskLogs"]["LogLevel"] == "INFO"  # estimates, costs, the last lines of a failed driver


def test_its_airflow_is_the_one_that_the_requirements_are_for() -> None:
    requirements = (ROOT / "deployment" / "requirements-mwaa.txt").read_text()
    (constrained,) = re.findall(r"constraints-([\d.]+)/", requirements)
    assert template(MANAGED_AIRFLOW)["Parameters"]["AirflowVersion"]["Default"] == constrained


def test_it_needs_a_lake_that_was_told_of_it() -> None:
    with account():
        deploy()
        client = boto3.client("cloudformation", REGION)
        exported = {one["Name"]: one.get("Value") for one in client.list_exports()["Exports"]}
    assert exported["orchard-lake"] == f"arn:aws:s3:::{LAKE}"
    wanted = set(re.findall(r"\$\{LakeStack\}-[a-z-]+", MANAGED_AIRFLOW.read_text()))
    made = {f"${{LakeStack}}{name.removeprefix('orchard')}" for name in exported}
    assert wanted == made
    outputs = template()["Outputs"]
    assert outputs["ManagedAirflowName"]["Condition"] == "HasManagedAirflow"
    assert outputs["ManagedAirflowRole"]["Condition"] == "HasManagedAirflow"


@pytest.mark.parametrize("text", ["$(id)", "a b", "a'b", "a;b", "a*", "a/b", "1a", "é", "a" * 81])
def test_what_is_no_name_of_an_environment_is_refused(text: str) -> None:
    """It becomes a part of ARNs; the pattern is MWAA's."""
    pattern = template()["Parameters"]["ManagedAirflow"]["AllowedPattern"]
    assert not re.fullmatch(pattern, text)
    assert re.fullmatch(pattern, "my-airflow_2")


def test_every_parameter_that_takes_any_text_says_which() -> None:
    free = {
        name
        for name, found in template(MANAGED_AIRFLOW)["Parameters"].items()
        if found["Type"] == "String" and not {"AllowedPattern", "AllowedValues"} & set(found)
    }
    assert free == set()
