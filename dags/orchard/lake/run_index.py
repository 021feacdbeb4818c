"""The published runs of a lake: list them, find one by name, and find the one that a new run builds on.

``latest.json`` alone says which runs are published, in which order, and with which images and feature spec;
runs that differ in either are never combined. What a failed publication has left elsewhere (a ledger entry, a
basis) does not count.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

from orchard.lake.layout import Lake, is_slug
from orchard.lake.objects import ABSENT, Storage, read_json
from orchard.lake.run_record import RunRecord
from orchard.lake.storage import storage_for
from orchard.settings.aws import Access
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.errors import OrchardError

SINCE = ("published_at", "basis_id", "dag_id")
"""Fields of latest.json that earlier versions did not write."""

LATEST = "latest"
"""An alias for the newest run."""


@dataclass(frozen=True)
class PublishedRun:
    """One published run.

    Args:
        run: Its slug.
        images: URI of its images.
        spec: How its features were computed.
        published_at: ISO 8601, UTC; None if an earlier version of Orchard published it.
        basis_id: Its basis; None likewise.
        dag_id: Its DAG; None likewise, and for a run of `orchard run`.
    """

    run: str
    images: str
    spec: FeatureSpec
    published_at: str | None = None
    basis_id: str | None = None
    dag_id: str | None = None

    @classmethod
    def from_json(cls, facts: Mapping[str, str]) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError: without a name or images, and what ``FeatureSpec.from_json`` raises.
        """
        spec = dict(facts)
        run, images = spec.pop("run"), spec.pop("images")
        since = {name: spec.pop(name, None) for name in SINCE}
        return cls(run, images, FeatureSpec.from_json(spec), **since)

    def to_json(self) -> dict[str, str]:
        known = {name: value for name in SINCE if (value := getattr(self, name)) is not None}
        return {"run": self.run, "images": self.images, **self.spec.to_json(), **known}

    def matches(self, images: str, spec: FeatureSpec) -> bool:
        return (self.images, self.spec) == (images, spec)


@dataclass(frozen=True)
class RunIndex:
    """All published runs of a lake.

    Args:
        lake: The lake.
        storage: Where it is.
        runs: Oldest first.
        latest: The newest; None if no run is published.
        version: The version of ``latest.json``, for a conditional write.
    """

    lake: Lake
    storage: Storage = field(compare=False)
    runs: tuple[PublishedRun, ...] = ()
    latest: str | None = None
    version: str = ABSENT

    @classmethod
    def load(cls, storage: Storage, lake: Lake) -> Self:
        """Read ``latest.json``, with one request.

        Raises:
            OrchardError: if ``publish`` cannot have written it.
        """
        try:
            found = storage.read(lake.latest)
        except FileNotFoundError:
            return cls(lake, storage)
        try:
            latest = json.loads(found.data)
            runs = tuple(PublishedRun.from_json(run) for run in latest["runs"])
            return cls(lake, storage, runs, latest["run"], found.version)
        except (ValueError, KeyError, TypeError):
            raise OrchardError(
                f"{lake.latest} is damaged, or from a newer version of Orchard",
                rule="it lists every published run with its images, its model and how features were computed",
                remedy="restore an earlier version of it, or use the version of Orchard that wrote it",
            ) from None

    @classmethod
    def open(cls, uri: str, access: Access) -> Self:
        """Like ``load``, for the lake at ``uri``."""
        return cls.load(storage_for(uri, access), Lake(uri))

    def __contains__(self, slug: object) -> bool:
        """Whether the run ``slug`` is published."""
        return any(run.run == slug for run in self.runs)

    @property
    def names(self) -> tuple[str, ...]:
        """The slugs, newest first, without any that is not a valid folder name."""
        return tuple(run.run for run in reversed(self.runs) if is_slug(run.run))

    def builds_on(self, images: str, spec: FeatureSpec) -> str | None:
        """Return the run that a new run builds on: the newest with the same images and spec."""
        return next((run.run for run in reversed(self.runs) if run.matches(images, spec)), None)

    def newest(self) -> set[str]:
        """Return the newest run of each image folder, and the newest of all."""
        newest = {run.images: run.run for run in self.runs}
        return {slug for slug in (self.latest, *newest.values()) if slug is not None}

    def superseded(self, keep: int) -> list[str]:
        """Return the runs, oldest first, with at least ``keep`` newer ones of the same images and spec."""
        places = defaultdict[tuple[str, FeatureSpec], list[str]](list)
        for run in self.runs:
            places[run.images, run.spec].append(run.run)
        old = {slug for slugs in places.values() for slug in slugs[:-keep]}
        return [run.run for run in self.runs if run.run in old]

    def with_run(self, added: PublishedRun) -> list[dict[str, str]]:
        """Return the runs as latest.json has them once ``added`` is published."""
        return [run.to_json() for run in (*self.runs, added)]

    def find(self, name: str) -> str:
        """Return the slug that ``name`` refers to: ``latest``, or a unique part of a slug.

        Raises:
            OrchardError: if it matches no run, or more than one.
        """
        if name == LATEST and self.names:
            return self.names[0]
        found = [name] if name in self.names else [slug for slug in self.names if name in slug]
        if len(found) != 1:
            raise OrchardError(
                f"{name!r} matches {len(found)} published runs of {self.lake.uri}",
                rule="name a run by 'latest', or by a unique part of its name",
                remedy="`orchard runs` lists them; --lake names another lake",
            )
        return found[0]

    def read(self, slug: str) -> RunRecord:
        """Return run.json of a published run.

        Raises:
            FileNotFoundError: if it is missing.
        """
        return cast(RunRecord, read_json(self.storage, self.lake.run(slug).run_json))

    def records(self, slugs: Iterable[str]) -> dict[str, RunRecord]:
        """Return run.json of published runs, by slug, without the runs that have none."""
        found: dict[str, RunRecord] = {}
        for slug in slugs:
            try:
                found[slug] = self.read(slug)
            except FileNotFoundError:
                continue
        return found

    def describe(self, slug: str) -> Mapping[str, Any]:
        """Return run.json with the final cost; only the slug if it is missing or damaged."""
        folder = self.lake.run(slug)
        run = self._read_if_there(folder.run_json)
        cost = self._read_if_there(folder.cost) or run.get("cost")
        return {**run, "run": slug, "cost": cost}

    def _read_if_there(self, uri: str) -> dict[str, Any]:
        try:
            content = read_json(self.storage, uri)
        except (FileNotFoundError, ValueError, OrchardError):
            return {}
        return content if isinstance(content, dict) else {}
