"""The files of the lake: where they are, and what is in them."""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from docs.generate.docstrings import read_arguments, read_attributes, read_class_docstring
from docs.generate.markdown import format_code, format_table, join_lines
from docs.generate.run_json import list_fields
from orchard.lake.layout import Lake
from orchard.lake.ledger import EARLIER_SCHEMA, LEDGER_SCHEMA
from orchard.lake.run_record import CostRecord, LatestRecord
from orchard.publishing.run_metrics import ExportMetrics, FeaturizeMetrics, ReduceMetrics
from orchard.sensing.listing import MANIFEST_SCHEMA
from orchard_jobs.contract import COLUMNS
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.tables.schemas import COMPONENTS, FEATURES, OUTCOMES

JOBS = Path(inspect.getfile(RunFolder)).parent
RUN = "<lake>/runs/<run>"
PARQUET: Mapping[str, pa.Schema] = {
    "<lake>/ledger/<run>.parquet": LEDGER_SCHEMA,
    f"{RUN}/manifest.parquet": MANIFEST_SCHEMA,
    f"{RUN}/earlier.parquet": EARLIER_SCHEMA,
    f"{RUN}/features/*.parquet": FEATURES,
    f"{RUN}/components/*.parquet": COMPONENTS,
    f"{RUN}/outcomes.parquet": OUTCOMES,
}

REPORTS = {"featurize": FeaturizeMetrics, "reduce": ReduceMetrics, "export": ExportMetrics}


def build_layout(lake: type[Lake] = Lake, run: type[RunFolder] = RunFolder) -> str:
    rows = [*list_places(lake("<lake>")), *list_places(run(RUN))]
    return format_table(["place", "what it is"], ([format_code(place), meaning] for place, meaning in rows))


def list_places(folder: Any) -> Iterator[tuple[str, str]]:
    """Yield the URI and the docstring of each property and method that names a place.

    Raises:
        LookupError: for a place without a docstring.
    """
    for name, member in vars(type(folder)).items():
        if name.startswith("_") or (not isinstance(member, property) and not inspect.isfunction(member)):
            continue
        place, docstring = _call(folder, name), inspect.getdoc(member)
        if isinstance(place, str):
            if not docstring:
                raise LookupError(f"{type(folder).__name__}.{name} has no docstring")
            yield place, join_lines(docstring)


def _call(folder: Any, name: str) -> Any:
    found = getattr(folder, name)
    if not callable(found):
        return found
    parameters = {"slug": "<run>", "basis_id": "<basis_id>", "job": "<job>"}
    return found(*(parameters[parameter] for parameter in inspect.signature(found).parameters))


def build_parquet_files(files: Mapping[str, pa.Schema] = PARQUET) -> str:
    return "\n\n".join(f"### `{place}`\n\n{build_schema(schema)}" for place, schema in files.items())


def build_schema(schema: pa.Schema) -> str:
    """Return the table of a schema; a column that ``contract.COLUMNS`` does not describe is a KeyError."""
    rows = ([format_code(field.name), format_code(field.type), COLUMNS[field.name]] for field in schema)
    return format_table(["column", "type", "what it is"], rows)


def build_json_files() -> str:
    sections = {
        "<lake>/latest.json": list_fields(LatestRecord),
        f"{RUN}/cost.json": list_fields(CostRecord),
        **{f"{RUN}/reports/{job}.json": list_model_fields(model) for job, model in REPORTS.items()},
        "<lake>/models/<id>/card.json": list_arguments("models/model_card.py", "ModelCard"),
        "<lake>/basis/<basis_id>/basis.npz": list_arguments("pca/basis.py", "Basis"),
        f"{RUN}/statistics/statistics.npz": list_arguments("pca/statistics.py", "Statistics"),
    }
    return "\n\n".join(f"### `{place}`\n\n{format_fields(list(rows))}" for place, rows in sections.items())


def format_fields(rows: list[list[str]]) -> str:
    header = ["field", "type", "what it is"] if len(rows[0]) == 3 else ["field", "what it is"]
    return format_table(header, rows)


def list_model_fields(model: Any) -> Iterator[list[str]]:
    """Yield the fields of a pydantic model, by its JSON Schema."""
    schema, meanings = model.model_json_schema(), read_attributes(model)
    for name, field in schema["properties"].items():
        yield [
            format_code(name),
            describe_schema(field, schema.get("$defs", {})),
            meanings[name],
        ]


def describe_schema(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the type of a field of a JSON Schema."""
    if "anyOf" in field:
        return " or ".join(describe_schema(one, definitions) for one in field["anyOf"])
    if "$ref" in field:
        found = definitions[field["$ref"].rpartition("/")[2]]
        return " or ".join(map(format_code, found["enum"])) if "enum" in found else "object"
    return str(field.get("format", field["type"]))


def list_arguments(module: str, name: str) -> Iterator[list[str]]:
    """Yield what a class of the jobs says of its fields; it may not be importable here."""
    for field, meaning in read_arguments(read_class_docstring(JOBS / module, name)).items():
        yield [format_code(field), meaning]
