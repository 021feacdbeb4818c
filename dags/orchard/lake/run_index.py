"""The published runs of a lake, and which of them a new run builds on.

``latest.json`` alone says which runs are published, in which order, and of what each one is: runs on other
images, or with another model, have features that do not belong together. What a publication that crashed,
or lost against another, has left elsewhere (a ledger entry, a basis) does not count.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from orchard.lake.layout import Lake
from orchard.lake.objects import ABSENT, Storage
from orchard_jobs.errors import OrchardError


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

    def is_of(self, images: str, model: str) -> bool:
        return (self.images, self.model) == (images, model)


@dataclass(frozen=True)
class History:
    """All published runs, oldest first; the newest for readers, and the version of ``latest.json``."""

    runs: tuple[PublishedRun, ...]
    latest: str | None
    version: str

    @classmethod
    def of_lake(cls, storage: Storage, lake: Lake) -> Self:
        """Read it, with one request.

        Raises:
            OrchardError: if ``latest.json`` is not as ``publish`` writes it.
        """
        try:
            found = storage.read(lake.latest)
        except FileNotFoundError:
            return cls((), None, ABSENT)
        try:
            latest = json.loads(found.data)
            return cls(tuple(PublishedRun(**run) for run in latest["runs"]), latest["run"], found.version)
        except (ValueError, KeyError, TypeError):
            raise OrchardError(
                f"{lake.latest} is not as a published run leaves it",
                rule="it names every published run with its images and its model",
                remedy="put an earlier version of it back",
            ) from None

    def names(self, slug: str) -> bool:
        """Whether the run ``slug`` is published."""
        return any(run.run == slug for run in self.runs)

    def builds_on(self, images: str, model: str) -> str | None:
        """Return the run that a new run continues: the newest of the same images and model."""
        return next((run.run for run in reversed(self.runs) if run.is_of(images, model)), None)

    def newest(self) -> set[str]:
        """Return the newest run of each folder of images, and the one that readers find."""
        newest = {run.images: run.run for run in self.runs}
        return {slug for slug in (self.latest, *newest.values()) if slug is not None}

    def superseded(self, keep: int) -> list[str]:
        """Return the runs, oldest first, that ``keep`` newer ones of the same images and model follow."""
        places = defaultdict[tuple[str, str], list[str]](list)
        for run in self.runs:
            places[run.images, run.model].append(run.run)
        old = {slug for slugs in places.values() for slug in slugs[:-keep]}
        return [run.run for run in self.runs if run.run in old]

    def with_run(self, summary: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return the runs as latest.json has them once the run of ``summary`` is published."""
        added = PublishedRun(summary["run"], summary["images"], summary["model"]["id"])
        return [asdict(run) for run in (*self.runs, added)]


@dataclass(frozen=True)
class RunFacts:
    """What run.json says of a published run, as far as others ask."""

    published_at: datetime
    basis_id: str


def facts_of_runs(storage: Storage, lake: Lake, slugs: Iterable[str]) -> dict[str, RunFacts]:
    """Read run.json of published runs; those that have none are left out."""
    found: dict[str, RunFacts] = {}
    for slug in slugs:
        try:
            content: dict[str, Any] = json.loads(storage.read(lake.run(slug).run_json).data)
        except FileNotFoundError:
            continue
        found[slug] = RunFacts(datetime.fromisoformat(content["published_at"]), content["basis_id"])
    return found
