"""docs/aws.md names what there is: commands, parameters, variables, targets, places in other texts."""

import re
import shlex

import botocore.session
import pytest
from botocore import xform_name

from orchard.settings.settings import table
from tests.unit.infra.stack import ROOT, template

GUIDE = ROOT / "docs" / "aws.md"
TEXT = GUIDE.read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
LINES = "".join(text for kind, text in BLOCKS if not kind).replace("\\\n", " ").splitlines()
"""Of commands; what they print is marked as ``text``."""
COMMANDS = [shlex.split(line.partition("  #")[0].replace("|", "# ", 1), comments=True) for line in LINES]
OF_CLI_ONLY = {("cloudformation", "deploy"), ("s3", "cp")}


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


def test_the_stack_is_deployed_with_parameters_that_there_are() -> None:
    (deploy,) = [one for one in COMMANDS if tuple(one[1:3]) == ("cloudformation", "deploy")]
    assert (ROOT / deploy[deploy.index("--template-file") + 1]).is_file()
    given = {word.partition("=")[0] for word in deploy[deploy.index("--parameter-overrides") + 1 :]}
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
    target = (GUIDE.parent / path).resolve()
    assert target.is_file()
    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
    assert not anchor or anchor in {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
