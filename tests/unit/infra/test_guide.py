"""docs/aws.md names what there is: commands, parameters, variables, targets, places in other texts."""

import re
import shlex
import subprocess
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from local_emr.validation.fleet_rules import validate_instances
from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.settings.cluster import XLARGE
from orchard.settings.settings import table
from orchard.settings.sizing import core_nodes_for, spark_sizes
from tests.unit.infra.stack import ROOT, Stack, account, deploy, settings_of, template

GUIDE = ROOT / "docs" / "aws.md"
TEXT = GUIDE.read_text()
BLOCKS = re.findall(r"^ *```(\w*)\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL)
LINES = "".join(text for kind, text in BLOCKS if not kind).replace("\\\n", " ").splitlines()
"""Of commands; what they print is marked as ``text``."""
COMMANDS = [shlex.split(line.partition("  #")[0].replace("|", "# ", 1), comments=True) for line in LINES]
OF_CLI_ONLY = {("cloudformation", "deploy"), ("s3", "cp"), ("s3", "sync")}


@pytest.mark.parametrize(
    "command",
    [one for one in COMMANDS if one and one[0] == "aws" and tuple(one[1:3]) not in OF_CLI_ONLY],
    ids=lambda one: " ".join(one[1:3]),
)
def test_the_aws_commands_are_operations_with_these_members(command: list[str]) -> None:
    model = botocore.session.get_session().get_service_model(command[1])
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert command[2] in operations
    members = {
        xform_name(name, "-") for name in model.operation_model(operations[command[2]]).input_shape.members
    }
    of_cli = {"region", "query", "output", "active"}
    given = {word.removeprefix("--") for word in command[3:] if word.startswith("--")}
    assert given - of_cli <= members


def test_the_startup_script_exports_what_the_outputs_say_whatever_is_in_it(tmp_path: Path) -> None:
    (sed,) = re.findall(r"\| (sed .*?) > startup\.sh", TEXT)
    values = {
        "ORCHARD_LAKE": "s3://lake",
        "ORCHARD_IMAGES": 's3://lake/a b=c;$(id)`id`"*',
        "ORCHARD_SUBNETS": "a,b",
    }
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    script = subprocess.run(
        ["bash", "-c", sed], input=lines, capture_output=True, text=True, check=True
    ).stdout
    assert "export ORCHARD_SUBNETS='a,b'\n" in script
    (tmp_path / "startup.sh").write_text(script)
    shown = "; ".join(f'printf "%s\\n" "${name}"' for name in values)
    done = subprocess.run(
        ["bash", "-c", f"set -eu; . ./startup.sh; {shown}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == list(values.values())


def test_each_step_has_what_it_needs_from_those_before() -> None:
    """The bucket is the stack's; managed Airflow reads it; its role is there once its environment is."""
    lines = [shlex.join(one) for one in COMMANDS]
    order = [
        "AlarmEmail=",
        "s3 cp startup.sh",
        "make deploy",
        "mwaa get-environment",
        "AirflowRole=",
        "invoke-rest",
    ]
    places = [next(n for n, line in enumerate(lines) if text in line) for text in order]
    assert places == sorted(places)
    first, second = [one for one in COMMANDS if tuple(one[1:3]) == ("cloudformation", "deploy")]
    assert "AirflowRole" not in shlex.join(first)
    assert first[: first.index("--parameter-overrides")] == second[: second.index("--parameter-overrides")]
    with account():
        assert deploy(AlarmEmail="me@example.org").outputs["AirflowPolicyArn"]


def test_the_smallest_cluster_fits_the_quota_of_a_new_account(plain: Stack) -> None:
    """5 vCPUs of Standard instances; m4.large has 2, and 8 GiB, of which EMR gives YARN 6.

    https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-hadoop-task-config.html
    """
    small = dict(one[1].split("=", 1) for one in COMMANDS if one[:1] == ["export"])
    for environ, cores, nodes in (({}, 4, 2), (small, 2, 2)):
        settings = settings_of(plain, **environ)
        core_nodes = core_nodes_for(50_000, settings.fleet)
        instances = run_job_flow(run_tags("d", "r", settings), core_nodes, settings)["Instances"]
        validate_instances(instances, ())
        fleets = instances["InstanceFleets"]
        assert sum(fleet["TargetOnDemandCapacity"] for fleet in fleets) == nodes
        types = {kind["InstanceType"] for fleet in fleets for kind in fleet["InstanceTypeConfigs"]}
        assert types == ({"m4.large"} if small is environ else set(XLARGE))
        assert (nodes * cores <= 5) is (small is environ)
    usual = settings_of(plain).fleet
    assert "1,000,000 take 36" in TEXT
    assert 4 * (1 + core_nodes_for(1_000_000, usual)) == 36
    sizes = spark_sizes(settings.fleet, settings.spark)
    assert (sizes.executor_memory, sizes.executor_overhead, sizes.executor_cores) == ("1536m", "3g", 2)
    application_master = 1024
    assert 1536 + 3 * 1024 + application_master <= 6 * 1024


def test_the_stack_is_deployed_with_parameters_that_there_are() -> None:
    given = set()
    for one in COMMANDS:
        if tuple(one[1:3]) == ("cloudformation", "deploy"):
            assert (ROOT / one[one.index("--template-file") + 1]).is_file()
            given |= {word.partition("=")[0] for word in one[one.index("--parameter-overrides") + 1 :]}
    named = set(re.findall(r"`(ImagesBucket|MonthlyBudget|AirflowRole)`", TEXT))
    assert given | named <= template()["Parameters"].keys()


def test_every_target_of_make_is_there_and_takes_these_variables() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z0-9-]+)", TEXT)) <= targets
    exported = set(" ".join(re.findall(r"^export (.*)$", makefile, re.MULTILINE)).split())
    given = {word.partition("=")[0] for one in COMMANDS if one[:1] == ["make"] for word in one[2:]}
    assert given - {"ALL"} <= exported


def test_every_setting_is_there() -> None:
    variables = {variable.name for variable in table()}
    assert set(re.findall(r"`(ORCHARD_[A-Z_]+)", TEXT)) <= variables


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", TEXT))
def test_every_link_has_its_file_and_heading(link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (GUIDE.parent / path).resolve() if path else GUIDE
    assert target.is_file()
    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
    assert not anchor or anchor in {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
