"""The published runs of a lake, as people name them."""

import json
from dataclasses import dataclass
from typing import Any, Self

from orchard.history import History
from orchard.lake import Lake
from orchard.settings import Access
from orchard.storage import Storage, storage_for
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
    def of_lake(cls, uri: str) -> Self:
        """Read which runs there are, with the credentials that boto3 finds."""
        lake, storage = Lake(uri), storage_for(uri, Access())
        history = History.of_lake(storage, lake)
        return cls(lake, storage, tuple(run.run for run in reversed(history.runs)))

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
