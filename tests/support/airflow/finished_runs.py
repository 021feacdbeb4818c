"""Runs whose three jobs have finished and can be published."""

import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from orchard.lake.layout import Lake
from orchard.lake.ledger import EARLIER_SCHEMA, OUTCOME_SCHEMA
from orchard.lake.objects import local_path
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import RunIndex
from orchard.lake.sensed import digest_rows
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import Publication
from orchard_jobs.contract import digest_basis

CLUSTER = {"id": "j-1"}
EARLIER = [
    {"path": "a", "etag": "1", "status": "ok", "run": "r0", "stays": True},
    {"path": "c", "etag": "1", "status": "ok", "run": "r0", "stays": False},
]
OUTCOMES = [
    {"path": "c", "etag": "2", "status": "corrupt"},
    {"path": "b", "etag": "1", "status": "ok"},
]
LISTED = to_parquet(
    pa.Table.from_pylist([{**row, "label": "", "size": 1} for row in OUTCOMES]).drop("status")
)
EARLIER_FILE = to_parquet(pa.Table.from_pylist(EARLIER, EARLIER_SCHEMA))


def finish_jobs(lake: Lake, slug: str, **counts: int) -> None:
    """Write the files of ``sense`` and of the three jobs of a run."""
    storage, folder = FileStorage(local_path(lake.uri)), lake.run(slug)
    facts: dict[str, dict[str, Any]] = {
        "featurize": {
            "counts": counts or {"ok": 1, "corrupt": 1, "empty": 0},
            "model": {"id": "m", "weights": "imagenet"},
            "images_per_second": 90.5,
            "runtime": "openvino",
            "precision": "float32",
        },
        "reduce": {
            "k": 2,
            "variance_kept": 0.75,
            "basis": "refit",
            "basis_id": basis_id_of(slug),
            "fitted_rows": 2,
            "counted_rows": 2,
            "rows": 2,
        },
        "export": {"rows": 2, "rejected": 1, "files": [f"{folder.csv}/features.csv"]},
    }
    for hour, (job, more) in enumerate(facts.items()):
        report = {
            "job": job,
            "state": "succeeded",
            "listing": "l1",
            "started_at": f"2026-11-22T0{hour}:00:00+00:00",
            "finished_at": f"2026-11-22T0{hour}:59:59+00:00",
            "seconds": 2.5,
            "phases": {"a": 1.5},
            "versions": {"spark": "4"},
        }
        storage.write(folder.metrics(job), json.dumps(report | more).encode())
    for name, data in basis_of(slug).items():
        storage.write(f"{folder.basis}/{name}", data)
    storage.write(folder.manifest, LISTED)
    storage.write(folder.earlier, EARLIER_FILE)
    storage.write(folder.outcomes, to_parquet(pa.Table.from_pylist(OUTCOMES, OUTCOME_SCHEMA)))


def basis_of(slug: str) -> dict[str, bytes]:
    """Return the basis files that ``finish_jobs`` writes for a run."""
    arrays = _arrays_of(slug)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    facts = {
        "basis_id": basis_id_of(slug),
        "k": 2,
        "variance_kept": 0.75,
        "fitted_rows": 2,
        "model_id": "m",
    }
    text = json.dumps(facts, indent=2, sort_keys=True).encode() + b"\n"
    return {"basis.npz": buffer.getvalue(), "basis.json": text}


def basis_id_of(slug: str) -> str:
    """Build a different basis for each run."""
    arrays = _arrays_of(slug)
    return digest_basis(arrays["mean"].tobytes(), arrays["components"].tobytes())


def _arrays_of(slug: str) -> dict[str, Any]:
    ratio = np.array([0.5, 0.25])
    return {
        "mean": np.full(3, float(zlib.crc32(slug.encode()))),
        "components": np.eye(2, 3),
        "explained_variance": ratio,
        "explained_variance_ratio": ratio,
    }


def publication(
    slug: str, *builds_on: str, images: str = "s3://in", model: str = "m", **spec: str
) -> Publication:
    predecessor = builds_on[-1] if builds_on else None
    sensed = {
        "listing": "l1",
        "digest": digest_rows(LISTED, EARLIER_FILE),
        "images": images,
        "feature_spec": {"model": model, **spec},
        "code": "s3://code",
        "listed": 3,
        "known": 1,
        "deleted": 6,
        "kept": 1,
        "builds_on": predecessor,
        "predecessor": predecessor,
        "estimate": {"dollars": 1.5},
    }
    return Publication(slug, f"id of {slug}", sensed, CLUSTER, cost={"dollars": 1.25}, dag_id="d")


def published_runs(lake: Lake) -> list[str]:
    return [run.run for run in RunIndex.load(FileStorage(Path("/")), lake).runs]


def latest_of(lake: Lake) -> Any:
    return json.loads(FileStorage(Path("/")).read(lake.latest).data)
