"""Replaces spark-submit: takes the same arguments, and writes the same files as the job.

Failures are configured in a file ``behaviour.json`` next to this script, so that a test can change them after
the cluster has started: ``{"featurize": "fail" | "killed" | "hang", "reduce": "lose the components",
"export": "lose a row"}``.
"""

import io
import json
import os
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchard_jobs.contract import ExportJob, FeaturizeJob, ReduceJob, digest_basis
from orchard_jobs.run_folder import RunFolder

BASIS, MEAN = np.eye(2, 4), np.zeros(4)
BASIS_ID = digest_basis(MEAN.tobytes(), BASIS.tobytes())


def main(arguments: list[str]) -> None:
    application = next(i for i, argument in enumerate(arguments) if argument.endswith("/run.py"))
    name, tokens = arguments[application + 1], arguments[application + 2 :]
    print(f"fake driver of {name}", file=sys.stderr, flush=True)
    misbehave(behaviour(name))
    {"featurize": featurize, "reduce": reduce, "export": export}[name](tokens)


def behaviour(name: str) -> str | None:
    how: str | None = json.loads(Path(__file__).with_name("behaviour.json").read_text()).get(name)
    return how


def misbehave(how: str | None) -> None:
    if how == "fail":
        raise RuntimeError("the job's own last words")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        time.sleep(600)


def featurize(tokens: list[str]) -> None:
    job = FeaturizeJob.from_argv(tokens)
    manifest = pq.read_table(local(job.manifest or ""))
    rows = manifest.select(["path", "label", "etag"])
    rows = rows.append_column("status", pa.array(statuses(manifest)))
    rows = rows.append_column("error", pa.array([None] * len(rows), pa.string()))
    write_table(f"{job.output}/features/part-0.parquet", rows)
    counts = Counter(statuses(manifest))
    report(job, counts=counts, model={"id": "m", "weights": "untrained"})


def reduce(tokens: list[str]) -> None:
    job = ReduceJob.from_argv(tokens)
    folder = RunFolder(job.output)
    facts = {"k": len(BASIS), "variance_kept": 0.75, "basis_id": BASIS_ID}
    features = pq.read_table(local(job.features[0])).to_pylist()
    good = [row["path"] for row in features if row["status"] == "ok"]
    if job.earlier:
        earlier = pq.read_table(local(job.earlier)).to_pylist()
        good += [row["path"] for row in earlier if row["stays"]]
    rows = len(good)
    write(f"{folder.basis}/basis.json", json.dumps({**facts, "fitted_rows": rows, "model_id": "m"}).encode())
    write(f"{folder.basis}/basis.npz", basis())
    if behaviour("reduce") != "lose the components":
        write_table(f"{folder.components}/part-0.parquet", components(good))
    report(job, **facts, basis="refit", rows=rows, fitted_rows=rows, counted_rows=rows)


def export(tokens: list[str]) -> None:
    job = ExportJob.from_argv(tokens)
    features = pq.read_table(local(job.features[0]))
    outcomes = features.select(["path", "etag"]).append_column("status", pa.array(statuses(features)))
    write_table(RunFolder(job.output).outcomes, outcomes)
    write(f"{RunFolder(job.output).csv}/features.csv", features_csv(job.components[0]))
    rows = json.loads(local(RunFolder(job.output).metrics("reduce")).read_text())["rows"]
    report(job, rows=rows, rejected=0, files=[f"{RunFolder(job.output).csv}/features.csv"])


def features_csv(folder: str) -> bytes:
    files = sorted(local(folder).glob("*.parquet"))  # none if the test has lost them
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    lines = [",".join([row["path"], row["label"], *map(str, row["components"])]) for row in rows]
    lost = 1 if behaviour("export") == "lose a row" else 0
    return "\r\n".join(["path,label,pc1,pc2", *lines[lost:], ""]).encode()


def components(paths: list[str]) -> pa.Table:
    columns = {"path": sorted(paths), "label": [path.rpartition("/")[0] for path in sorted(paths)]}
    values = [[float(place), 1.0] for place in range(len(paths))]
    return pa.table({**columns, "components": values, "basis_id": [BASIS_ID] * len(paths)})


def basis() -> bytes:
    buffer, ratio = io.BytesIO(), np.array([0.5, 0.25])
    arrays = {"explained_variance": ratio, "explained_variance_ratio": ratio}
    np.savez(buffer, mean=MEAN, components=BASIS, **arrays)
    return buffer.getvalue()


def statuses(images: pa.Table) -> list[str]:
    return ["corrupt" if "corrupt" in path else "ok" for path in images["path"].to_pylist()]


def report(job: FeaturizeJob | ReduceJob | ExportJob, **facts: object) -> None:
    content = {
        "job": job.NAME,
        "listing": job.listing,
        "state": "succeeded",
        "started_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "finished_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "seconds": 1.0,
        "phases": {job.NAME: 1.0},
        "versions": {},
        **facts,
    }
    write(RunFolder(job.output).metrics(job.NAME), json.dumps(content).encode())


def write_table(uri: str, table: pa.Table) -> None:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write(uri, buffer.getvalue())


def write(uri: str, data: bytes) -> None:
    local(uri).parent.mkdir(parents=True, exist_ok=True)
    local(uri).write_bytes(data)


def local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


if __name__ == "__main__":
    main(sys.argv[1:])
