"""The guides to AWS name what there is: commands, parameters, variables, targets, places in other texts."""

import re
import shlex
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from deployment.startup_script import parse_variables
from local_emr.validation.fleet_rules import validate_instances
from orchard.emr.job_flow import run_job_flow, run_tags
from orchard.settings.cluster import XLARGE
from orchard.settings.settings import table
from orchard.settings.sizing import core_nodes_for, spark_sizes
from tests.unit.infra.stack import MANAGED_AIRFLOW, ROOT, Stack, account, deploy, settings_of, template

TUTORIAL = ROOT / "docs" / "tutorials" / "first-night-on-aws.md"
PREFLIGHT = ROOT / "docs" / "how-to" / "preflight.md"
GUIDES = [TUTORIAL, PREFLIGHT, ROOT / "docs" / "how-to" / "deploy.md"]
GUIDES += [ROOT / "docs" / "explanation" / "driver-and-sizes.md"]
TEXT = "".join(guide.read_text() for guide in GUIDES)


def list_blocks(text: str, kind: str = "") -> list[str]:
    """Return the lines of code blocks of a kind: without one they are commands; ``text`` is output."""
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return "".join(block for of, block in blocks if of == kind).replace("\\\n", " ").splitlines()


def list_commands(text: str) -> list[list[str]]:
    lines = list_blocks(text)
    return [shlex.split(line.partition("  #")[0].replace("|", "# ", 1), comments=True) for line in lines]


COMMANDS = list_commands(TEXT)
OF_CLI_ONLY = {("cloudformation", "deploy"), ("s3", "cp"), ("s3", "sync")}


@pytest.mark.parametrize(
    "command",
    [one for one in COMMANDS if one and one[0] == "aws" and tuple(one[1:3]) not in OF_CLI_ONLY],
    ids=lambda one: " ".join(one[1:3]),
)
def test_the_aws_commands_are_operations_with_these_members(command: list[str]) -> None:
    session = botocore.session.get_session()
    model = session.get_service_model(command[1])
    if command[2] == "wait":
        waiters = session.get_waiter_model(command[1])
        named = {xform_name(name, "-"): waiters.get_waiter(name).operation for name in waiters.waiter_names}
        command = [*command[:2], xform_name(named[command[3]], "-"), *command[4:]]
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert command[2] in operations
    members = {
        xform_name(name, "-") for name in model.operation_model(operations[command[2]]).input_shape.members
    }
    of_cli = {"region", "query", "output", "active"}
    given = {word.removeprefix("--") for word in command[3:] if word.startswith("--")}
    assert given - of_cli <= members


def test_each_step_has_what_it_needs_from_those_before() -> None:
    """Managed Airflow reads what is deployed, into the bucket of the first stack, and works as its role."""
    lines = [shlex.join(one) for one in list_commands(TUTORIAL.read_text())]
    order = [
        "ManagedAirflow=my-airflow",
        "make model",
        "make deploy STACK=orchard MODEL=",
        "s3 sync",
        "infra/managed_airflow.yaml",
        "preflight --mwaa-environment my-airflow",
        "invoke-rest-api",
        "delete-stack --region eu-west-3 --stack-name orchard-airflow",
    ]
    places = [next(n for n, line in enumerate(lines) if text in line) for text in order]
    assert places == sorted(places)
    assert lines.index("aws cloudformation delete-stack --region eu-west-3 --stack-name orchard") > places[-1]
    first, second = [shlex.split(line) for line in lines if line.startswith("aws cloudformation deploy")]
    with account():
        names = {first[first.index("--stack-name") + 1]}
        given = dict(word.split("=", 1) for word in first[first.index("--parameter-overrides") + 1 :])
        assert deploy(**given).outputs["ManagedAirflowRole"]
        airflow = deploy(ROOT / second[second.index("--template-file") + 1])
    assert names == {template(MANAGED_AIRFLOW)["Parameters"]["LakeStack"]["Default"]}
    assert airflow.properties("Environment")["Name"] == "my-airflow"


def test_the_smallest_cluster_fits_the_quota_of_a_new_account(plain: Stack) -> None:
    """5 vCPUs of Standard instances; m4.large has 2, and 8 GiB, of which EMR gives YARN 6.

    https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-hadoop-task-config.html
    """
    small = parse_variables("\n".join(list_blocks(PREFLIGHT.read_text(), "ini")), "preflight.md")
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
    for one in COMMANDS:
        if tuple(one[1:3]) == ("cloudformation", "deploy"):
            path = ROOT / one[one.index("--template-file") + 1]
            after = one.index("--parameter-overrides") + 1 if "--parameter-overrides" in one else len(one)
            assert {word.partition("=")[0] for word in one[after:]} <= template(path)["Parameters"].keys()
    named = set(re.findall(r"`(ImagesBucket|MonthlyBudget|AirflowRole|ManagedAirflow|AlarmEmail)\b", TEXT))
    assert named == {"ImagesBucket", "MonthlyBudget", "AirflowRole", "ManagedAirflow", "AlarmEmail"}
    assert named <= template()["Parameters"].keys()


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


LINKS = [(guide, link) for guide in GUIDES for link in re.findall(r"\]\(([^)]+)\)", guide.read_text())]


@pytest.mark.parametrize(("guide", "link"), LINKS, ids=[f"{guide.stem}-{link}" for guide, link in LINKS])
def test_every_link_has_its_file_and_heading(guide: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (guide.parent / path).resolve() if path else guide
    assert target.is_file()
    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
    assert not anchor or anchor in {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
