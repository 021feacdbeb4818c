"""A validated purge request."""

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
        places: URIs of lake and images.
        access: The caller's own credentials, not Airflow's connection or role.
        run: Name of the run's folder in ``runs/``.
        image: Path of the image, relative to the images folder.
    """

    places: Places
    access: Access
    run: str | None = None
    image: str | None = None

    @classmethod
    def build(  # noqa: PLR0913 - the options of the command
        cls,
        environ: Mapping[str, str],
        *,
        lake: str = "",
        images: str = "",
        run: str = "",
        image: str = "",
        everything: bool = False,
    ) -> Self:
        """Build and validate the request.

        Args:
            environ: ORCHARD_LAKE and ORCHARD_IMAGES are the defaults of ``lake`` and ``images``.
            image: Path as in the CSV.

        Raises:
            OrchardError: unless exactly one of run, image and everything is given, and a lake.
        """
        options = {"run": run, "image": image, "all": "all runs" if everything else ""}
        given = {name: value for name, value in options.items() if value}
        if len(given) != 1:
            raise OrchardError(
                ", ".join(f"{name} {value}" for name, value in given.items()) or "nothing to purge",
                rule="it requires exactly one of --run=<folder>, --image=<path as in the CSV> and --all",
                remedy="choose one (with make: RUN=, IMAGE= or ALL=1); nothing is deleted before you confirm",
            )
        places = {f"ORCHARD_{name}": to_uri(uri) for name, uri in (("LAKE", lake), ("IMAGES", images)) if uri}
        settings = {**environ, **places}
        if not settings.get("ORCHARD_LAKE"):
            raise OrchardError(
                "ORCHARD_LAKE is not set, and no lake is given",
                rule="a purge needs a lake",
                remedy="name it: --lake=<folder or URI>, or LAKE= with make",
            )
        if not settings.get("ORCHARD_MODEL"):
            settings["ORCHARD_MODEL"] = f"{settings.get('ORCHARD_LAKE', '')}/models"
        access = Access(region=read(Access, environ).region)
        return cls(read(Places, settings), access, run or None, unescape_cell(image) if image else None)
