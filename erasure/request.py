"""What is to be purged, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from orchard.lake.objects import to_uri
from orchard.settings.aws import Access
from orchard.settings.env import read
from orchard.settings.settings import Places
from orchard_jobs.errors import OrchardError
from orchard_jobs.escaping import unescape_cell


@dataclass(frozen=True)
class Request:
    """One purge: of a run, of an image, or, with neither, of everything.

    Args:
        places: Where lake and images are.
        access: With the caller's own credentials: Airflow's connection, and its role, play no part.
        run: Its folder in ``runs/``.
        image: Its path, relative to the folder of the images.
    """

    places: Places
    access: Access
    run: str | None = None
    image: str | None = None

    @classmethod
    def build(  # noqa: PLR0913 - what the command line asks
        cls,
        environ: Mapping[str, str],
        *,
        lake: str = "",
        images: str = "",
        run: str = "",
        image: str = "",
        everything: bool = False,
    ) -> Self:
        """Return the request.

        Args:
            environ: Has ORCHARD_LAKE and ORCHARD_IMAGES, where ``lake`` and ``images`` are not given.
            image: As in the CSV.

        Raises:
            OrchardError: where not exactly one of run, image and everything is given, or there is no lake.
        """
        given = {"run": run, "image": image, "all": "all runs" if everything else ""}
        asked = {name: value for name, value in given.items() if value}
        if len(asked) != 1:
            raise OrchardError(
                ", ".join(f"{name} {value}" for name, value in asked.items()) or "nothing to purge",
                rule="it takes exactly one of --run=<folder>, --image=<path as in the CSV> and --all",
                remedy="give one (with make: RUN=, IMAGE= or ALL=1): what would be deleted is listed first",
            )
        places = {f"ORCHARD_{name}": to_uri(uri) for name, uri in (("LAKE", lake), ("IMAGES", images)) if uri}
        settings = {**environ, **places}
        if not settings.get("ORCHARD_LAKE"):
            raise OrchardError(
                "ORCHARD_LAKE is not set, and no lake is given",
                rule="what is purged is in one",
                remedy="give it: --lake=<folder or URI>, or LAKE= with make",
            )
        if not settings.get("ORCHARD_MODEL"):
            settings["ORCHARD_MODEL"] = f"{settings.get('ORCHARD_LAKE', '')}/models"
        access = Access(region=read(Access, environ).region)
        return cls(read(Places, settings), access, run or None, unescape_cell(image) if image else None)
