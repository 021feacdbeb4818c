"""The pages' settings: the subset of the DAG's ``ORCHARD_*`` variables that reading the lake requires."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from orchard.lake.objects import Storage
from orchard.lake.run_index import RunIndex
from orchard.lake.storage import storage_for
from orchard.settings.aws import Access
from orchard.settings.env import place, read, setting


@dataclass(frozen=True)
class Places:
    """Where the lake and EMR's logs are, as URIs."""

    lake: str = setting("URI of the lake; the API server needs it too, for Orchard's pages")
    logs: str = setting("URI under which EMR writes its logs", "")

    def __post_init__(self) -> None:
        for name in ("lake", "logs"):
            object.__setattr__(self, name, place(name, getattr(self, name), self.lake))


@dataclass(frozen=True)
class Source:
    """The lake and logs that the pages read."""

    places: Places
    access: Access

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raise OrchardError for a variable that is missing or wrong."""
        return cls(read(Places, environ), read(Access, environ))

    def published(self) -> RunIndex:
        return RunIndex.open(self.places.lake, self.access)

    def logs(self) -> Storage:
        return storage_for(self.places.logs, self.access)
