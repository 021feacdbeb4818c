"""The published runs of a lake, the newest first, and which of them people mean."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from orchard.lake.layout import Lake, is_slug
from orchard.lake.objects import Storage
from orchard.lake.run_index import History
from orchard.lake.storage import storage_for
from orchard.settings.aws import Access
from orchard_jobs.errors import OrchardError

LATEST = "latest"


@dataclass(frozen=True)
class Published:
    """What ``latest.json`` names.

    Args:
        lake: The lake.
        storage: Where it is.
        names: The runs, newest first.
    """

    lake: Lake
    storage: Storage
    names: tuple[str, ...]

    @classmethod
    def of_lake(cls, uri: str, access: Access) -> Self:
        """Read which runs there are, with one request."""
        lake, storage = Lake(uri), storage_for(uri, access)
        history = History.of_lake(storage, lake)
        names = (run.run for run in reversed(history.runs))
        return cls(lake, storage, tuple(name for name in names if is_slug(name)))

    def read(self, name: str) -> dict[str, Any]:
        """Return run.json of the run that ``name`` means: ``latest``, or any part of one run's name.

        Raises:
            OrchardError: if no run, or more than one, is meant.
        """
        run: dict[str, Any] = json.loads(self.storage.read(self.lake.run(self.find(name)).run_json).data)
        return run

    def find(self, name: str) -> str:
        """Return the whole name of the run that ``name`` means.

        Raises:
            OrchardError: if no run, or more than one, is meant.
        """
        if name == LATEST and self.names:
            return self.names[0]
        found = [name] if name in self.names else [whole for whole in self.names if name in whole]
        if len(found) != 1:
            raise OrchardError(
                f"{name!r} is in the names of {len(found)} published runs of {self.lake.uri}",
                rule="a run is 'latest', or a part of its name that no other has",
                remedy="`orchard runs` lists them; --lake names another lake",
            )
        return found[0]

    def describe(self, slug: str) -> Mapping[str, Any]:
        """Return run.json with the final cost; only the name where it is gone or damaged."""
        folder = self.lake.run(slug)
        run = self._read_if_there(folder.run_json)
        cost = self._read_if_there(folder.cost) or run.get("cost")
        return {**run, "run": slug, "cost": cost}

    def _read_if_there(self, uri: str) -> dict[str, Any]:
        try:
            content = json.loads(self.storage.read(uri).data)
        except (FileNotFoundError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}
