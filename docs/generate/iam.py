"""What each role may do: the statements of the templates in infra/, and what for, by infra/README.md."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from docs.generate.markdown import format_code, format_table

INFRA = Path(__file__).resolve().parents[2] / "infra"
ROW = re.compile(r"^\| `(?P<sid>\w+)` \| .* \| (?P<purpose>[^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Policy:
    """The statements of one policy of a template; a role's own policy has the name of the role."""

    template: str
    name: str
    statements: tuple[Mapping[str, Any], ...]

    @property
    def sids(self) -> set[str]:
        return {one["Sid"] for one in self.statements}


@dataclass(frozen=True)
class Purposes:
    """One table of infra/README.md: what it is of, and what each statement is for."""

    of: str
    by_sid: Mapping[str, str]


def build_permissions(infra: Path = INFRA) -> str:
    readme = (infra / "README.md").read_text(encoding="utf-8")
    tables = list(find_purposes(readme))
    return "\n\n".join(
        build_policy(policy, tables)
        for template in sorted(infra.glob("*.yaml"))
        for policy in find_policies(template.name, load_template(template.read_text(encoding="utf-8")))
    )


def build_policy(policy: Policy, tables: list[Purposes]) -> str:
    """Return the section of one policy.

    Raises:
        LookupError: where infra/README.md does not say what a statement is for.
    """
    purposes = choose_purposes(policy, tables)
    rows = (
        [
            format_code(one["Sid"]),
            purposes[one["Sid"]],
            "allows" if one["Effect"] == "Allow" else "**denies**",
            ", ".join(map(format_code, as_list(one["Action"]))),
            list_resources(one),
            ", ".join(sorted(name for test in one.get("Condition", {}).values() for name in test)) or "none",
        ]
        for one in policy.statements
    )
    header = ["statement", "for", "effect", "actions", "resources", "conditions on"]
    return f"## {policy.name} ({policy.template})\n\n{format_table(header, rows)}"


def list_resources(statement: Mapping[str, Any]) -> str:
    """Return the resources of a statement, or those that it leaves out."""
    key = "Resource" if "Resource" in statement else "NotResource"
    found = ", ".join(format_code(shorten(one)) for one in as_list(statement[key]))
    return found if key == "Resource" else f"all but {found}"


def shorten(arn: str) -> str:
    """Return an ARN without what is the same everywhere."""
    return re.sub(r"^arn:\$\{AWS::Partition\}:", "", arn).replace("${AWS::Region}:${AWS::AccountId}", "…")


def choose_purposes(policy: Policy, tables: list[Purposes]) -> Mapping[str, str]:
    """Return the table that names all statements of the policy; of several, that of its kind of role."""
    kind = re.match(r"[A-Z][a-z]+", policy.name)
    named = [table for table in tables if policy.sids <= table.by_sid.keys()]
    named.sort(key=lambda table: not table.of.startswith(kind[0] if kind else policy.name))
    if not named:
        raise LookupError(f"no table of infra/README.md has all statements of {policy.name}: {policy.sids}")
    return named[0].by_sid


def find_purposes(readme: str) -> Iterator[Purposes]:
    for text, table in re.findall(r"^(.+)\n\n((?:\|.*\n)+)", readme, re.MULTILINE):
        rows = {found["sid"]: found["purpose"] for found in ROW.finditer(table)}
        if "| for |" in table and rows:
            yield Purposes(paragraph_before(readme, text), rows)


def paragraph_before(readme: str, last_line: str) -> str:
    """Return the paragraph that ends with a line."""
    return readme[: readme.index(last_line) + len(last_line)].rpartition("\n\n")[2]


def find_policies(template: str, content: Mapping[str, Any]) -> Iterator[Policy]:
    for name, resource in content["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            yield Policy(template, name, tuple(properties["PolicyDocument"]["Statement"]))
        elif resource["Type"] == "AWS::IAM::Role":
            for policy in properties.get("Policies", ()):
                yield Policy(template, name, tuple(policy["PolicyDocument"]["Statement"]))


def load_template(text: str) -> dict[str, Any]:
    """Return a template whose short forms (``!Sub …``) are what they are of."""
    loaded: dict[str, Any] = yaml.load(text, Loader=TemplateLoader)  # noqa: S506 - one of PyYAML's safe ones
    return loaded


class TemplateLoader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader, with CloudFormation's short forms."""


def _construct(loader: TemplateLoader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return f"${{{value}}}" if tag in ("Ref", "GetAtt") else value
    if isinstance(node, yaml.SequenceNode):
        values = loader.construct_sequence(node, deep=True)
        return values[1:] if tag == "If" else values[0] if tag == "Sub" else values
    return loader.construct_mapping(node, deep=True)


TemplateLoader.add_multi_constructor("!", _construct)


def as_list(value: Any) -> list[str]:
    """Return a string, a function of one, or lists of them as one list, without AWS's word for nothing."""
    if isinstance(value, dict):
        return as_list(list(value.values()))
    if isinstance(value, list):
        return [text for one in value for text in as_list(one)]
    return [] if value == "${AWS::NoValue}" else [str(value)]
