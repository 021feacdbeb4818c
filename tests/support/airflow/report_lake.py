"""Published runs for reports to read: real Parquet with the contract's columns, as the jobs write it."""

import io
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from orchard.lake.layout import Lake
from orchard.lake.ledger import EARLIER_SCHEMA, LEDGER_SCHEMA, OUTCOME_SCHEMA
from orchard.lake.objects import Storage
from orchard.lake.parquet import to_parquet
from orchard.lake.storage_files import FileStorage
from orchard_jobs.contract import COMPONENT_COLUMNS, FEATURE_COLUMNS, label_of

# A red, a green and a yellow ball on white, as thumbnails from build_thumbnail.
THUMBNAILS = tuple(
    b64decode(text)
    for text in (
        "UklGRhABAABXRUJQVlA4IAQBAACwBgCdASogACAAPtFco00oJSMiKA1RABoJbACdM2PAffgWSYjQNoY8lZbbaaUNEC1CxmEyVUmvpW+EPxYGLAD+"
        "/nr/z8Yyl+smUOmz7Wa+m+L+M1PrO7UpQ9MHQKuc9ZKPgATn7+xG71fJfa7PZHyR676oD8A47j76Y/8tDMqxc/jr1aoOn5IbRt4G2A3H1S0LGhF3"
        "P7nZny5VLUa3COOmNZu7n+ddhpcF1PffrV2NxCU9VQgFjab7q2jEpEcogELiHScI9dwjcSkyyTFdaDXaRMrjOmqvu3shF3MsO9r+Fts0FCiRhDp9"
        "s3M6FpSz+cmfYOBRQIFotHcjv9AeQCGHyoQAAA==",
        "UklGRuYAAABXRUJQVlA4INoAAABwBgCdASogACAAPtFepU6oJSMiKAqpABoJbACdM5M8P7oytUWwZ8rVm200n7Lqp59uxxPCdC0/f851AQAA/v34"
        "ox/XF18sGcya8381nlXR6KXVrf7T3CppNsEG06ZRkUaAphbvzznLdbXe9ixnDtuDzNkg726l9VK1S1D++Mbr4CDOUqaKITWd3zKrVMolEqp+l1za"
        "02g5E5e/oR6QQV48Nb88aB/5SySOUkq0/UhM2h05JKJqnLVx6MWtYFQeQL7xp9LG6EVUc58YdP0O5x70erXyNrkjrzAAAA==",
        "UklGRs4AAABXRUJQVlA4IMIAAADwBgCdASogACAAPtFgo04oJaKiKAqpABoJbACdMoR5n41EmvuA3zXP/2TGE0IcdolXOhY47Zp4QVijnjn51AQA"
        "AP7+L/lLqGh8UgMn/KYLe15q93hcMWFriDecnhHQsT/8Lcjlf9wV8BSLRmj/dPlO+gB0FKq4zPAWhw+s6CxPH7swNS25/hw46/5FNMjt1ZJKo4QI"
        "pZOj2n/obQ2i/x+vweloxGlW7Yxl6cMc7SZjV5Jw+8N/VnjL5GCkjiz/RNAAAA==",
    )
)
MODEL = {"id": "m", "weights": "imagenet", "features": 12, "sha256": "0"}
FEATURES = 12
JOBS = ("featurize", "reduce", "export")


def basis_of(slug: str) -> str:
    """Return the id of the basis that a run has published."""
    return f"basis-of-{slug}"


@dataclass
class ReportLake:
    """A lake with consecutive runs; ``rows`` has the current components by path."""

    lake: Lake
    storage: Storage = field(default_factory=lambda: FileStorage(Path("/")))
    components: int = 4
    runs: list[dict[str, str]] = field(default_factory=list)
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    known: dict[str, tuple[str, str]] = field(default_factory=dict)

    def publish(
        self,
        slug: str,
        new: Mapping[str, np.ndarray],
        *,
        rejected: Mapping[str, tuple[str, str]] | None = None,
        deleted: tuple[str, ...] = (),
        thumbnails: bool = True,
        spectrum: bool = True,
        turn: float = 0.0,
        **more: Any,
    ) -> str:
        """Publish a run of new or changed images; ``turn`` rotates PC1 by these degrees."""
        rejected = rejected or {}
        folder, storage = self.lake.run(slug), self.storage
        for path in deleted:
            del self.rows[path], self.known[path]
        earlier = [
            {"path": path, "etag": "e", "status": status, "run": run, "stays": path not in new}
            for path, (run, status) in self.known.items()
        ]
        before = self.runs[-1]["run"] if self.runs else None
        self.rows |= new
        self.known |= dict.fromkeys(new, (slug, "ok"))
        self.known |= {path: (slug, status) for path, (status, _) in rejected.items()}
        self._write(f"{folder.features}/part-00000.parquet", features(new, rejected, thumbnails=thumbnails))
        for place, part in enumerate(np.array_split(np.array(sorted(self.rows), dtype=object), 2)):
            self._write(f"{folder.components}/part-{place:05d}.parquet", self._components(part.tolist()))
        self._write_basis(self.lake.basis(basis_of(slug)), turn, spectrum=spectrum)
        outcomes = [
            {"path": path, "etag": "e", "status": self.known[path][1]} for path in sorted([*new, *rejected])
        ]
        self._write(folder.outcomes, pa.Table.from_pylist(outcomes, OUTCOME_SCHEMA))
        self._write(folder.earlier, pa.Table.from_pylist(earlier, EARLIER_SCHEMA))
        ledger = [
            {"path": path, "etag": "e", "status": status, "run": run}
            for path, (run, status) in self.known.items()
        ]
        self._write(self.lake.ledger_entry(slug), pa.Table.from_pylist(ledger, LEDGER_SCHEMA))
        run = self._summary(slug, before, new, rejected, deleted) | more
        storage.write(folder.run_json, json.dumps(run).encode())
        since = {name: run[name] for name in ("published_at", "basis_id")}
        self.runs.append({"run": slug, "images": run["images"], "model": "m", **since})
        storage.write(self.lake.latest, json.dumps({"run": slug, "runs": self.runs}).encode())
        return slug

    def _summary(
        self,
        slug: str,
        before: str | None,
        new: Mapping[str, Any],
        rejected: Mapping[str, Any],
        deleted: tuple[str, ...],
    ) -> dict[str, Any]:
        statuses = [status for status, _ in rejected.values()]
        counts = {
            "listed": len(self.known),
            "featurized": len(new),
            "rejected": len(rejected),
            "known": len(self.known) - len(new) - len(rejected),
            "deleted": len(deleted),
        }
        return {
            "run": slug,
            "run_id": slug,
            "published_at": "2026-11-22T05:16:15+00:00",
            "counts": counts,
            "rejected": {status: statuses.count(status) for status in sorted(set(statuses))},
            "images": "s3://lake/images",
            "builds_on": before,
            "basis": "refit",
            "basis_id": basis_of(slug),
            "components": self.components,
            "variance_kept": 0.75,
            "fitted_rows": len(self.rows),
            "rows": len(self.rows),
            "weights": "imagenet",
            "model": MODEL,
            "runtime": "openvino",
            "precision": "float32",
            "images_per_second": 90.5,
            "seconds": {},
            "times": {
                job: [f"2026-11-22T0{hour}:00:00+00:00", f"2026-11-22T0{hour}:59:59+00:00"]
                for hour, job in enumerate(JOBS)
            },
            "phases": {job: {job: 12.5} for job in JOBS},
            "worker_seconds": {"reading": 1.5},
            "versions": {"spark": "4.1.1"},
            "cluster": {"id": "j-1", "release": "emr-spark-8.1.0", "states": [], "timeline": {}},
            "csv": f"{self.lake.run(slug).csv}/features.csv",
            "files": [],
        }

    def _components(self, paths: list[str]) -> pa.Table:
        rows = [
            {"path": path, "label": label_of(path), "components": self.rows[path].tolist(), "basis_id": "b"}
            for path in paths
        ]
        schema = pa.schema(
            [
                ("path", pa.string()),
                ("label", pa.string()),
                ("components", pa.list_(pa.float64())),
                ("basis_id", pa.string()),
            ]
        )
        assert tuple(schema.names) == COMPONENT_COLUMNS
        return pa.Table.from_pylist(rows, schema)

    def _write_basis(self, uri: str, turn: float, *, spectrum: bool) -> None:
        components = np.eye(self.components, FEATURES)
        components[0, 0], components[0, -1] = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        explained = 0.5 ** np.arange(1, FEATURES + 1)
        arrays = {
            "mean": np.zeros(FEATURES),
            "components": components,
            "explained_variance": explained[: self.components],
            "explained_variance_ratio": explained[: self.components] / explained.sum(),
            **({"spectrum": explained} if spectrum else {}),
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        self.storage.write(f"{uri}/basis.npz", buffer.getvalue())

    def _write(self, uri: str, table: pa.Table) -> None:
        self.storage.write(uri, to_parquet(table, row_group_size=50))


def features(
    new: Mapping[str, np.ndarray], rejected: Mapping[str, tuple[str, str]], *, thumbnails: bool
) -> pa.Table:
    """Write featurize's files; without thumbnails, as in early versions."""
    rows = [
        {
            "path": path,
            "label": label_of(path),
            "etag": "e",
            "status": rejected[path][0] if path in rejected else "ok",
            "error": rejected[path][1] if path in rejected else None,
            "features": None if path in rejected else [0.5] * FEATURES,
            "thumbnail": None if path in rejected else thumbnail_of(path),
        }
        for path in sorted([*new, *rejected])
    ]
    text = [(name, pa.string()) for name in ("path", "label", "etag")]
    sizes = [(name, pa.int32()) for name in ("width", "height")]
    schema = pa.schema(
        [
            *text,
            *sizes,
            ("status", pa.string()),
            ("error", pa.string()),
            ("features", pa.list_(pa.float32())),
            ("thumbnail", pa.binary()),
        ]
    )
    assert tuple(schema.names) == FEATURE_COLUMNS
    table = pa.Table.from_pylist(rows, schema)
    return table if thumbnails else table.drop_columns("thumbnail")


def thumbnail_of(path: str) -> bytes:
    return THUMBNAILS[len(path) % len(THUMBNAILS)]


def clusters(labels: Mapping[str, int], components: int = 4, seed: int = 1) -> dict[str, np.ndarray]:
    """Return components by path, with a different centre for each label."""
    generator = np.random.default_rng(seed)
    found = {}
    for label, count in labels.items():
        centre = generator.normal(size=components) * 10
        for place in range(count):
            path = f"{label}/{place}.jpg" if label else f"{place}.jpg"
            found[path] = centre + generator.normal(size=components)
    return found
