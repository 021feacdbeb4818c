"""Schemas of the Parquet files that the jobs write. ``contract.COLUMNS`` says what the columns hold."""

import pyarrow as pa

from orchard_jobs.contract import COMPONENT_COLUMNS, FEATURE_COLUMNS, OUTCOME_COLUMNS

FEATURES = pa.schema(
    {
        "path": pa.string(),
        "label": pa.string(),
        "etag": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "status": pa.string(),
        "error": pa.string(),
        "features": pa.list_(pa.float32()),
        "thumbnail": pa.binary(),
    }
)
COMPONENTS = pa.schema(
    {
        "path": pa.string(),
        "label": pa.string(),
        "components": pa.list_(pa.float64()),
        "basis_id": pa.string(),
    }
)
OUTCOMES = pa.schema(dict.fromkeys(OUTCOME_COLUMNS, pa.string()))
assert tuple(FEATURES.names) == FEATURE_COLUMNS  # noqa: S101 - the contract, checked where it is used
assert tuple(COMPONENTS.names) == COMPONENT_COLUMNS  # noqa: S101 - likewise
