"""The parameters of a run by hand, as Airflow's form has them with the required variables set."""

from typing import Any

from docs.generate.markdown import format_code, format_table
from docs.generate.settings_table import REQUIRED
from orchard.settings.settings import Settings
from orchard.workflow.trigger_form import params


def build_parameters() -> str:
    form = params(Settings.from_env(REQUIRED))
    rows = (
        [
            param.schema["title"],
            format_code(name),
            show_default(param.value),
            describe_values(param.schema),
            str(param.description),
        ]
        for name, param in form.items()
    )
    return format_table(["field", "parameter", "default", "takes", "what it is"], rows)


def show_default(value: Any) -> str:
    if value is None:
        return "empty"
    return format_code(str(value).lower() if isinstance(value, bool) else value)


def describe_values(schema: dict[str, Any]) -> str:
    """Return the values of a parameter by its JSON Schema."""
    if "enum" in schema:
        return " or ".join(map(format_code, schema["enum"]))
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = next(one for one in kinds if one != "null")
    bounds = [
        text.format(schema[key])
        for key, text in (("minimum", "from {}"), ("exclusiveMinimum", "above {}"), ("maximum", "to {}"))
        if key in schema
    ]
    return " ".join([kind, *bounds])
