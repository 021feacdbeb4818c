"""The documents say what is so."""

from orchard.settings.settings import table
from tests.support.checkout import ROOT

SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text()


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    rows = [
        f"| `{variable.name}` | {shown(variable.default)} | {variable.description} |" for variable in table()
    ]
    found = [line for line in SETTINGS.splitlines() if line.startswith("| `ORCHARD_")]
    assert found == rows, "paste these rows into docs/reference/settings.md:\n" + "\n".join(rows)


def shown(default: str) -> str:
    """Values look like code; what only describes a default does not."""
    return default if default.startswith(("`", "none", "required")) else f"`{default}`"
