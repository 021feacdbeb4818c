"""The reference pages say what the code says, and change when it does."""

import dataclasses
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pyarrow as pa
import pytest
import typer
from airflow.sdk import Param

from docs.generate import trigger_form
from docs.generate.blocks import BLOCK, BLOCKS, REFERENCE, fill_in
from docs.generate.command_line import build_commands, build_exit_codes
from docs.generate.iam import build_permissions
from docs.generate.job_arguments import build_arguments
from docs.generate.lake_files import build_layout, build_parquet_files
from docs.generate.run_json import build_run_json
from docs.generate.settings_table import GROUPS, build_settings, find_rule
from docs.generate.statuses import build_statuses
from orchard.lake.layout import Lake
from orchard.settings.env import setting
from orchard.settings.settings import Nightly
from orchard_jobs.contract import ExportJob
from orchard_jobs.tables.schemas import OUTCOMES
from tests.support.checkout import ROOT

PAGES = sorted(REFERENCE.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_what_the_code_says(page: Path) -> None:
    text = page.read_text()
    assert fill_in(text) == text, "make docs-reference"


def test_every_generated_part_is_in_one_page() -> None:
    found = [match["name"] for page in PAGES for match in BLOCK.finditer(page.read_text())]
    assert sorted(found) == sorted(BLOCKS)


def test_a_part_that_nothing_generates_is_an_error() -> None:
    with pytest.raises(KeyError, match="nope"):
        fill_in("<!-- generated: nope -->\n<!-- end -->")


def test_a_new_setting_gets_a_row() -> None:
    @dataclasses.dataclass(frozen=True)
    class Ripeness:
        """When fruit is ripe."""

        ripe_days: int = setting("Days | until an apple is <ripe>", 7)

    page = build_settings((*GROUPS, Ripeness))
    assert page.startswith(build_settings())
    row = "| `ORCHARD_RIPE_DAYS` | `7` | whole number | Days \\| until an apple is &lt;ripe> |"
    assert page.endswith(f"## Ripeness\n\nWhen fruit is ripe.\n\n{HEADER}\n{row}")


HEADER = "| variable | default | takes | what it is |\n| --- | --- | --- | --- |"


def test_a_setting_takes_what_the_code_refuses_others_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_rule("ORCHARD_RETENTION_DAYS") == "0 to 36500 days"
    monkeypatch.setattr(Nightly, "__post_init__", lambda _: None)
    assert find_rule("ORCHARD_RETENTION_DAYS") is None


def test_a_new_command_gets_a_section_with_its_options() -> None:
    program = typer.Typer()

    @program.command(epilog="\b\nExample:\n  orchard press apples")
    def press(kind: str, litres: Annotated[int, typer.Option(help="How much juice.")] = 3) -> None:
        """Press fruit."""

    program.command()(lambda: None)
    page = build_commands(program)
    assert page.startswith(
        "## orchard press\n\nPress fruit.\n\n| argument or option | default | what it is |\n"
    )
    assert "| `KIND` | required |  |\n| `--litres NUMBER` | `3` | How much juice. |" in page
    assert "```sh\norchard press apples\n```" in page


def test_a_new_exit_code_gets_a_row() -> None:
    assert build_exit_codes("Exit codes:\n  9  no fruit\n").endswith("| 9 | no fruit |")


def test_a_new_parameter_of_a_run_gets_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    ripe = Param(4, title="Ripeness", description="How ripe.", type="integer", minimum=1, maximum=5)
    params = trigger_form.params
    monkeypatch.setattr(trigger_form, "params", lambda settings: {**params(settings), "ripe": ripe})
    assert trigger_form.build_parameters().endswith(
        "| Ripeness | `ripe` | `4` | integer from 1 to 5 | How ripe. |"
    )


@dataclasses.dataclass(frozen=True)
class PressJob(ExportJob):
    """Arguments of ``press``.

    Args:
        components: URIs.
        features: URIs.
        output: URI.
        shards: Number.
        listing: Id.
        litres: How much
            juice.
    """

    litres: float = 0.5
    NAME = "press"


def test_a_new_argument_of_a_job_gets_a_row_and_has_to_be_explained() -> None:
    assert "| `--litres` | number | `0.5` | How much juice. |" in build_arguments((PressJob,))

    @dataclasses.dataclass(frozen=True)
    class Silent(PressJob):
        """Args:
        components: URIs.
        """

    with pytest.raises(LookupError, match="Silent: nothing is said of components"):
        build_arguments((Silent,))


def test_a_new_place_gets_a_row_and_has_to_be_explained() -> None:
    class Cellar(Lake):
        @property
        def juice(self) -> str:
            """What was pressed."""
            return f"{self.uri}/juice"

        @property
        def pulp(self) -> str:
            return f"{self.uri}/pulp"

    with pytest.raises(LookupError, match=r"Cellar\.pulp has no docstring"):
        build_layout(Cellar)
    del Cellar.pulp
    assert "| `<lake>/juice` | What was pressed. |" in build_layout(Cellar)


def test_a_new_column_gets_a_row_and_has_to_be_explained() -> None:
    schema = OUTCOMES.append(pa.field("size", pa.int64()))
    assert build_parquet_files({"juice.parquet": schema}).endswith("| `size` | `int64` | Bytes. |")
    with pytest.raises(KeyError, match="colour"):
        build_parquet_files({"juice.parquet": schema.append(pa.field("colour", pa.string()))})


class Juice(TypedDict):
    litres: float | None
    """How much."""
    colour: str


class Bottle(TypedDict):
    juice: "Juice"
    """What is in it."""


def test_a_new_field_of_run_json_gets_a_row_and_has_to_be_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LookupError, match="Juice: no docstring under colour"):
        build_run_json(Bottle)
    monkeypatch.delitem(Juice.__annotations__, "colour")
    assert build_run_json(Bottle).endswith(
        "| `juice` | object | What is in it. |\n| `juice.litres` | `float \\| None` | How much. |"
    )


class Fruit(StrEnum):
    MISSING = "missing"
    """Not on its tree."""


def test_a_new_status_gets_a_row() -> None:
    statuses: Any = Fruit
    assert build_statuses(statuses).endswith("| `missing` | Not on its tree. | yes |")


def test_a_new_statement_gets_a_row_and_has_to_be_explained(tmp_path: Path) -> None:
    infra = shutil.copytree(ROOT / "infra", tmp_path / "infra")
    template = infra / "orchard.yaml"
    statement = "          - Sid: PressFruit\n            Effect: Allow\n            Action: s3:GetObject\n"
    place = "          - Sid: CreateClustersOfThisLake\n"
    text = template.read_text().replace(place, f"{statement}            Resource: !GetAtt Press.Arn\n{place}")
    template.write_text(text)
    with pytest.raises(LookupError, match="PressFruit"):
        build_permissions(infra)
    readme = infra / "README.md"
    row = "| `CreateClustersOfThisLake` |"
    readme.write_text(readme.read_text().replace(row, f"| `PressFruit` | read | for juice |\n{row}"))
    expected = "| `PressFruit` | for juice | allows | `s3:GetObject` | `${Press.Arn}` | none |"
    assert expected in build_permissions(infra)
