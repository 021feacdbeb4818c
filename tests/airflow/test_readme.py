"""The README says what is so."""

from pathlib import Path

from orchard.settings import table

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def test_the_readme_has_every_setting_with_its_default_and_meaning() -> None:
    rows = [
        f"| `{variable.name}` | {shown(variable.default)} | {variable.description} |" for variable in table()
    ]
    found = [line for line in README.splitlines() if line.startswith("| `ORCHARD_")]
    assert found == rows, "paste these rows into the README:\n" + "\n".join(rows)


def shown(default: str) -> str:
    """Values look like code; what only describes a default does not."""
    return default if default.startswith(("`", "none", "required")) else f"`{default}`"
