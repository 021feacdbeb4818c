"""infra/README.md says what is in the template."""

import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import jmespath
import pytest

from tests.unit.infra.policies import airflow, node
from tests.unit.infra.stack import (
    MANAGED_AIRFLOW,
    REGION,
    ROOT,
    TEMPLATE,
    WATCH,
    Stack,
    account,
    deploy,
    template,
)

README = (ROOT / "infra" / "README.md").read_text()


def rows(after: str) -> Iterator[list[str]]:
    """Yield the cells of the first table after a text."""
    lines = README[README.index(after) :].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("|"))
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.mark.parametrize(
    ("after", "path"),
    [("## Parameters", TEMPLATE), ("## Managed Airflow", MANAGED_AIRFLOW), ("Its parameters:", WATCH)],
    ids=lambda one: str(one)[-12:],
)
def test_it_has_every_parameter_with_its_default_and_meaning(after: str, path: Path) -> None:
    expected = [
        [f"`{name}`", shown_default(found.get("Default")), found["Description"]]
        for name, found in template(path)["Parameters"].items()
    ]
    assert list(rows(after)) == expected


def shown_default(default: object) -> str:
    if default is None:
        return "required"
    return "none" if default == "" else f"`{default}`"


def test_it_has_every_variable_of_the_outputs() -> None:
    outputs = template()["Outputs"].items()
    variables = {name: found["Description"] for name, found in outputs if "ORCHARD_" in found["Description"]}
    assert dict(rows("| output |")) == {f"`{name}`": f"`{value}`" for name, value in variables.items()}


def test_it_has_every_statement_of_every_role(plain: Stack, given: Stack) -> None:
    own = [*given.properties("ServiceRole")["Policies"], given.properties("ServiceKeyPolicy")]
    service = [one for policy in own for one in policy["PolicyDocument"]["Statement"]]
    for text, statements in (
        ("AirflowPolicy, and a policy for each option", airflow(given)),
        ("NodeRole, which", node(given)),
        ("ServiceRole, which", service),
    ):
        assert {row[0] for row in rows(text)} == {f"`{one['Sid']}`" for one in statements}, text


def test_it_has_every_statement_of_the_watch() -> None:
    (policy,) = template(WATCH)["Resources"]["Role"]["Properties"]["Policies"]
    sids = [f"`{one['Sid']}`" for one in policy["PolicyDocument"]["Statement"]]
    assert [row[0] for row in rows("Its function may:")] == sids


def test_it_has_every_statement_of_managed_airflow() -> None:
    policy = template(MANAGED_AIRFLOW)["Resources"]["EnvironmentPolicy"]["Properties"]["PolicyDocument"]
    sids = [f"`{one['Sid']}`" for one in policy["Statement"]]
    assert [row[0] for row in rows("Besides AirflowPolicy, its role may:")] == sids


def test_its_query_writes_the_environment() -> None:
    (query,) = re.findall(r'--query "(.*)" > orchard.env', README)
    with account():
        stack = deploy()
        described = boto3.client("cloudformation", REGION).describe_stacks(StackName="orchard")
    lines = [line for (line,) in jmespath.search(query, described)]
    assert dict(line.split("=", 1) for line in lines) == stack.environ


@pytest.mark.parametrize("name", re.findall(r"(\w+)=\S+", README[: README.index("describe-stacks")]))
def test_its_command_gives_parameters_that_there_are(name: str) -> None:
    assert name in template()["Parameters"]
