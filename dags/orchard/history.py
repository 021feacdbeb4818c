"""The published runs of a lake, and which of them a new run builds on.

The ledger says which runs are published, ``latest.json`` in which order, and of what each one is: runs on
other images, or with another model, have features that do not belong together.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from orchard.lake import Lake
from orchard.storage import ABSENT, Storage


@dataclass(frozen=True)
class PublishedRun:
    """One published run.

    Args:
        run: Its slug.
        images: URI of the images it is of.
        model: Id of the model artefact that made its features.
    """

    run: str
    images: str
    model: str


@dataclass(frozen=True)
class History:
    """All published runs, oldest first; the newest for readers, and the version of ``latest.json``."""

    runs: tuple[PublishedRun, ...]
    latest: str | None
    version: str

    @classmethod
    def of_lake(cls, storage: Storage, lake: Lake) -> Self:
        """Read it. A run whose publication stopped between its ledger entry and latest.json comes last."""
        published = [name.removesuffix(".parquet") for name in storage.names(lake.ledger)]
        try:
            found = storage.read(lake.latest)
            latest, version = json.loads(found.data), found.version
        except FileNotFoundError:
            latest, version = {"run": None, "runs": []}, ABSENT
        ordered = [PublishedRun(**run) for run in latest["runs"] if run["run"] in published]
        stopped = sorted(set(published) - {run.run for run in ordered})
        return cls((*ordered, *(_describe(storage, lake, slug) for slug in stopped)), latest["run"], version)

    def builds_on(self, slug: str, images: str, model: str) -> list[str]:
        """Return the runs that a run ``slug`` continues: same images, same model, and not itself."""
        return [
            run.run for run in self.runs if run == PublishedRun(run.run, images, model) and run.run != slug
        ]

    def with_run(self, summary: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return the runs as latest.json has them once the run of ``summary`` is published."""
        added = _of_summary(summary)
        return [asdict(run) for run in (*(run for run in self.runs if run.run != added.run), added)]


def _describe(storage: Storage, lake: Lake, slug: str) -> PublishedRun:
    return _of_summary(json.loads(storage.read(lake.run(slug).run_json).data))


def _of_summary(summary: Mapping[str, Any]) -> PublishedRun:
    return PublishedRun(summary["run"], summary["images"], summary["model"]["id"])
