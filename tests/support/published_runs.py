"""Lakes with only the files that ``publish`` writes for readers: latest.json and each run's run.json."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchard.lake.layout import Lake
from orchard.lake.storage_files import FileStorage
from orchard.report.stored import store_report

REPORT = "<!doctype html><title>report</title>"

DAG_RUN = {"dag_id": "orchard_features", "run_id": "scheduled__2026-11-22T02:00:00+00:00"}
LOG_OF_STEP = {**DAG_RUN, "step": "s-2", "name": "stdout.gz"}


def published(name: str, **more: Any) -> dict[str, Any]:
    """Build the run.json of a run."""
    return {
        "run": name,
        "published_at": "2026-11-22T02:11:00+00:00",
        "counts": {"listed": 1200, "featurized": 1199, "rejected": 1, "known": 0, "deleted": 0},
        "components": 15,
        "variance_kept": 0.5681,
        "images_per_second": 195.5,
        "seconds": {"featurize": 57.2, "reduce": 9.9, "export": 8.2},
        "cluster": {"id": "j-1"},
        "rows": 1199,
        "model": {"id": "4b8fe23a20cd"},
        "weights": "imagenet",
        "precision": "float32",
        "basis": "refit",
        "basis_id": "b1",
        "builds_on": None,
        "images": "s3://in",
        "csv": "s3://lake/runs/x/csv/features.csv",
        **more,
    }


def write(path: Path, content: bytes) -> None:
    """Write a file, and create its parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_lake(folder: Path, runs: Sequence[dict[str, Any]]) -> None:
    """Write a lake with these runs, oldest first."""
    for run in runs:
        write(folder / "runs" / run["run"] / "run.json", json.dumps(run).encode())
    named = [
        {"run": run["run"], "images": "s3://in", "model": "m"}
        | ({"dag_id": run["dag_id"]} if "dag_id" in run else {})
        for run in runs
    ]
    (folder / "latest.json").write_text(json.dumps({"run": runs[-1]["run"], "runs": named}))


def add_files(folder: Path, report: str = REPORT) -> None:
    """Write a run's report and CSVs."""
    lake = Lake(f"file://{folder.parents[1]}")
    store_report(FileStorage(folder.parents[1]), lake, folder.name, report.encode())
    write(folder / "csv" / "features.csv", b"path,label,pc1\na/1.jpg,a,0.5\n")
    write(folder / "csv" / "rejects.csv", b"path,label,status,error\n")
