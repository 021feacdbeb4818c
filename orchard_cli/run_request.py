"""What the user gave, made into settings and choices as a run of Airflow has them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.node import CODE, provide_model
from orchard.choices import Choices
from orchard.settings import Settings
from orchard.storage import local_path
from orchard_jobs.contract import BasisMode, Precision
from orchard_jobs.errors import OrchardError


@dataclass(frozen=True)
class RunRequest:
    """One run, as the command line gives it; ``images`` and ``lake`` are URIs."""

    images: str
    lake: str
    model: str
    weights: Path | None
    components: int | None
    variance: float | None
    basis: BasisMode
    precision: Precision
    max_failure_ratio: float

    def resolve(self, warn: Callable[[str], object]) -> tuple[Settings, Choices]:
        """Return the settings and the choices; make the model artefact where none is given.

        Raises:
            OrchardError: where they contradict each other.
            NodeError: where the weights are not what they should be.
        """
        environ = {
            "ORCHARD_DRIVER_MEMORY": "2g",  # a laptop, not a node
            **os.environ,
            "ORCHARD_LAKE": self.lake,
            "ORCHARD_IMAGES": self.images,
            "ORCHARD_MODEL": self.model or self._make_model(warn),
            "ORCHARD_CODE": f"file://{CODE}",
        }
        settings = Settings.from_env(environ)
        params = {
            "images": self.images,
            "components": self.components,
            "variance": self.variance,
            "basis": self.basis.value,
            "precision": self.precision.value,
            "core_nodes": settings.fleet.core_nodes,
            "max_failure_ratio": self.max_failure_ratio,
            "cost_ceiling": None,  # nothing is paid for here
        }
        return settings, Choices.of_run(params, settings)

    def _make_model(self, warn: Callable[[str], object]) -> str:
        if not self.lake.startswith("file://"):
            raise OrchardError(
                f"no --model for {self.lake}",
                rule="a lake on S3 has its artefacts below <lake>/models",
                remedy="`make model WEIGHTS=FILE MODELS=<lake>/models` makes one and prints its URI",
            )
        made = provide_model(self.weights.expanduser() if self.weights else None, local_path(self.lake))
        if made.warning:
            warn(made.warning.replace("WEIGHTS=<file.h5|.keras>", "--weights FILE"))
        return made.uri
