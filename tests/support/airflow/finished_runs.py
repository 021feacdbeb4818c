"""Runs whose three jobs have ended, to be published, and what is published of them."""

import json
from typing import Any

import pyarrow as pa

from orchard.lake.layout import Lake
from orchard.lake.ledger import EARLIER_SCHEMA, OUTCOME_SCHEMA
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import RunIndex
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import Publication

CLUSTER = {"id": "j-1"}
EARLIER = [
    {"path": "a", "etag": "1", "status": "ok", "run": "r0", "stays": True},
    {"path": "c", "etag": "1", "status": "ok", "run": "r0", "stays": False},
]
OUTCOMES = [
    {"path": "c", "etag": "2", "status": "corrupt"},
    {"path": "b", "etag": "1", "status": "ok"},
]


def finish_jobs(lake: Lake, slug: str, **counts: int) -> None:
    """Write what the three jobs of a run leave behind."""
    storage, folder = FileStorage(), lake.run(slug)
    facts: dict[str, dict[str, Any]] = {
        "featurize": {
            "counts": counts or {"ok": 2, "corrupt": 1, "empty": 0},
            "model": {"id": "m", "weights": "imagenet"},
            "images_per_second": 90.5,
            "runtime": "openvino",
            "precision": "float32",
        },
        "reduce": {
            "k": 2,
            "variance_kept": 0.75,
            "basis": "refit",
            "basis_id": f"basis-{slug}",
            "fitted_rows": 5,
            "counted_rows": 5,
            "rows": 5,
        },
        "export": {"rows": 5, "rejected": 1, "files": ["features.csv"]},
    }
    for hour, (job, more) in enumerate(facts.items()):
        report = {
            "job": job,
            "state": "succeeded",
            "listing": "l1",
            "started_at": f"2026-11-22T0{hour}:00:00",
            "finished_at": f"2026-11-22T0{hour}:59:59",
            "seconds": 2.5,
            "phases": {"a": 1.5},
            "versions": {"spark": "4"},
        }
        storage.write(folder.metrics(job), json.dumps(report | more).encode())
    storage.write(f"{folder.basis}/basis.json", slug.encode())
    storage.write(folder.earlier, to_parquet(pa.Table.from_pylist(EARLIER, EARLIER_SCHEMA)))
    storage.write(folder.outcomes, to_parquet(pa.Table.from_pylist(OUTCOMES, OUTCOME_SCHEMA)))


def publication(
    slug: str, *builds_on: str, images: str = "s3://in", model: str = "m", **spec: str
) -> Publication:
    predecessor = builds_on[-1] if builds_on else None
    sensed = {
        "listing": "l1",
        "images": images,
        "feature_spec": {"model": model, **spec},
        "code": "s3://code",
        "listed": 4,
        "known": 1,
        "deleted": 6,
        "kept": 3,
        "builds_on": predecessor,
        "predecessor": predecessor,
        "estimate": {"dollars": 1.5},
    }
    return Publication(slug, f"id of {slug}", sensed, CLUSTER, cost={"dollars": 1.25})


def published_runs(lake: Lake) -> list[str]:
    return [run.run for run in RunIndex.load(FileStorage(), lake).runs]


def latest_of(lake: Lake) -> Any:
    return json.loads(FileStorage().read(lake.latest).data)
