"""What ``make purge`` was asked for: its variables, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from orchard.access import Access
from orchard.cells import text_of
from orchard.environment import read
from orchard.settings import Places
from orchard.storage import to_uri
from orchard_jobs.errors import OrchardError

WHAT = ("RUN", "IMAGE", "ALL")


@dataclass(frozen=True)
class Request:
    """One purge.

    Args:
        places: Where lake and images are.
        access: With the caller's own credentials: Airflow's connection, and its role, play no part.
        what: One of WHAT.
        name: The run's folder, or the image's path; '' for all.
        confirmation: What was given as CONFIRM, '' for a dry run.
    """

    places: Places
    access: Access
    what: str
    name: str
    confirmation: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read RUN, IMAGE or ALL, and CONFIRM; LAKE and IMAGES, or else ORCHARD_LAKE and ORCHARD_IMAGES.

        Raises:
            OrchardError: where none of the three is given, or more than one, or there is no lake.
        """
        given = [name for name in WHAT if environ.get(name)]
        if len(given) != 1 or (given == ["ALL"] and environ["ALL"] != "1"):
            raise OrchardError(
                " ".join(f"{name}={environ[name]}" for name in given) or "nothing to purge",
                rule="it takes exactly one of RUN=<folder in runs/>, IMAGE=<path as in the CSV> and ALL=1",
                remedy="give one: what would be deleted is listed first",
            )
        (what,) = given
        names = {name: to_uri(environ[name]) for name in ("LAKE", "IMAGES") if environ.get(name)}
        settings = {**environ, **{f"ORCHARD_{name}": uri for name, uri in names.items()}}
        if not settings.get("ORCHARD_MODEL"):
            settings["ORCHARD_MODEL"] = f"{settings.get('ORCHARD_LAKE', '')}/models"
        name = {"RUN": environ.get("RUN", ""), "IMAGE": text_of(environ.get("IMAGE", "")), "ALL": ""}[what]
        access = Access(region=read(Access, environ).region)
        return cls(read(Places, settings), access, what, name, environ.get("CONFIRM", ""))
