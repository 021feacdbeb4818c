"""A lake with runs to purge, on disk or on S3."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from erasure.holdings import FileHoldings, Held, Holdings
from erasure.plan import Plan
from erasure.purge import build_plan
from erasure.request import Request
from orchard.lake.event_logs import event_log_folder
from orchard.lake.layout import Lake
from orchard.lake.ledger import LEDGER_SCHEMA
from orchard.lake.objects import Storage, local_path
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import to_json
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.escaping import escape_cell

OLD = datetime.now(UTC) - timedelta(days=3)


@dataclass
class Place:
    """A lake and its images."""

    lake: Lake
    images: str
    storage: Storage
    holdings: Holdings

    def plan(self, **given: str) -> Plan:
        return build_plan(self.request(**given), self.storage, self.holdings, self.holdings)

    def request(self, **given: str) -> Request:
        environ = {"ORCHARD_LAKE": self.lake.uri, "ORCHARD_IMAGES": self.images, **given}
        run, image = given.get("RUN", ""), given.get("IMAGE", "")
        return Request.build(environ, run=run, image=image, everything="ALL" in given)

    def purge(self, **given: str) -> Plan:
        plan = self.plan(**given)
        plan.carry_out()
        return plan

    def write_run(self, slug: str, ledger: dict[str, str], *, publish: bool = True, basis: str = "") -> None:
        """Write the files of a run: features of its own rows in ``ledger``, and results of all rows."""
        folder = self.lake.run(slug)
        own = [{"path": path, "etag": "e", "status": "ok"} for path, run in ledger.items() if run == slug]
        rows = [{"path": path, "etag": "e", "status": "ok", "run": run} for path, run in ledger.items()]
        files = {
            folder.manifest: parquet(own),
            folder.earlier: parquet([{**row, "stays": True} for row in rows if row["run"] != slug]),
            folder.outcomes: parquet(own),
            f"{folder.features}/part-0.parquet": parquet(
                [{**row, "features": [0.5], "thumbnail": b"x"} for row in own]
            ),
            f"{folder.components}/part-0.parquet": parquet(
                [{"path": path, "components": [0.5]} for path in ledger]
            ),
            f"{folder.csv}/features.csv": lines([escape_cell(path), "0.5"] for path in ledger),
            folder.statistics: b"sums",
            folder.metrics("featurize"): to_json({"rejected_examples": [{"path": path} for path in ledger]}),
            f"{folder.basis}/basis.json": to_json({"basis_id": basis or f"b-{slug}"}),
            f"{folder.uri}/report.html": b"<html>",
        }
        for uri, data in files.items():
            self.storage.write(uri, data)
        if publish:
            self.publish(slug, rows, basis or f"b-{slug}")

    def publish(self, slug: str, rows: list[dict[str, str]], basis_id: str) -> None:
        run_json = {
            "published_at": OLD.isoformat(),
            "basis_id": basis_id,
            "cluster": {"id": f"j-{slug.upper()}"},
        }
        self.storage.write(self.lake.run(slug).run_json, to_json(run_json))
        self.storage.write(f"{self.lake.basis(basis_id)}/basis.npz", b"x")
        logs = f"{self.lake.uri}/logs"
        self.storage.write(f"{logs}/j-{slug.upper()}/steps/stderr.gz", b"x")
        events = f"{event_log_folder(logs)}/eventlog_v2_{slug}"
        self.storage.write(f"{events}/events_1_a.zstd", event_log(f"orchard featurize {slug}"))
        self.storage.write(f"{events}/appstatus_a", b"")
        self.storage.write(
            self.lake.ledger_entry(slug), to_parquet(pa.Table.from_pylist(rows, LEDGER_SCHEMA))
        )
        history = RunIndex.load(self.storage, self.lake)
        runs = history.with_run(PublishedRun(slug, self.images, FeatureSpec("m")))
        self.storage.replace(self.lake.latest, to_json({"run": slug, "runs": runs}), history.version)

    def contents(self) -> dict[str, bytes]:
        """Return every object of the lake, as a reader sees it."""
        found = self.storage.objects(self.lake.uri)
        return {one.name: self.storage.read(f"{self.lake.uri}/{one.name}").data for one in found}

    def held_below(self, folder: str) -> list[Held]:
        return self.holdings.below(f"{self.lake.uri}/{folder}")

    def versions(self) -> list[bytes]:
        """Return every version of every object, including deleted ones."""
        return [self.holdings.read(one) for one in self.holdings.below(self.lake.uri) if not one.is_marker]


def event_log(name: str) -> bytes:
    """Return the beginning of a Spark event log, which names the application."""
    events = [
        {"Event": "SparkListenerLogStart"},
        {"Event": "SparkListenerApplicationStart", "App Name": name},
    ]
    lines = "".join(f"{json.dumps(event)}\n" for event in events)
    return bytes(pa.Codec("zstd").compress(lines.encode(), asbytes=True))


def parquet(rows: list[dict[str, Any]]) -> bytes:
    return to_parquet(pa.Table.from_pylist(rows))


def lines(rows: Iterable[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["path", "pc1"], *rows])
    return buffer.getvalue().encode()


def folder_place(tmp_path: Path) -> Place:
    lake = Lake(f"file://{tmp_path}/lake")
    return Place(
        lake, f"file://{tmp_path}/images", FileStorage(Path("/")), FileHoldings(local_path(lake.uri))
    )
