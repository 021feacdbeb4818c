"""What the user gave, made into settings and choices as a run of Airflow has them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootstrap import package
from local_spark.model import BY_NAME, provide_model
from local_spark.node import CODE
from orchard.lake.objects import local_path
from orchard.settings.run_params import RunParams, parse_images
from orchard.settings.settings import Settings
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

    def resolve(self, warn: Callable[[str], object]) -> tuple[Settings, RunParams]:
        """Return the settings and the choices; package the jobs, and make a model where none is given.

        Raises:
            OrchardError: where they contradict each other, or the weights are not what they should be.
        """
        self._refuse_missing_weights()
        parse_images(self.images, self.lake)  # before anything is written into the lake
        self._choices(self._settings(self.model or f"{self.lake}/models"))
        package.main(CODE)
        settings = self._settings(self.model or self._make_model(warn))
        return settings, self._choices(settings)

    def _refuse_missing_weights(self) -> None:
        weights = self.weights and self.weights.expanduser()
        if weights and weights.name != BY_NAME and not weights.is_file():
            raise OrchardError(
                f"--weights={self.weights}",
                rule="it must be an existing .h5 or .keras file, or the word untrained",
                remedy="without it, the lake's own model is used, or Keras's weights",
            )

    def _settings(self, model: str) -> Settings:
        environ = {
            "ORCHARD_DRIVER_MEMORY": "2g",  # a laptop, not a node
            **os.environ,
            "ORCHARD_LAKE": self.lake,
            "ORCHARD_IMAGES": self.images,
            "ORCHARD_MODEL": model,
            "ORCHARD_CODE": f"file://{CODE}",
        }
        return Settings.from_env(environ)

    def _choices(self, settings: Settings) -> RunParams:
        params = {
            "images": self.images,
            "components": self.components,
            "variance": self.variance,
            "basis": self.basis.value,
            "precision": self.precision.value,
            "core_nodes": settings.fleet.core_nodes,
            "max_failure_ratio": self.max_failure_ratio,
            "cost_ceiling": None,  # nothing is paid for here
            "recompute": True,  # whoever asks has been told before
        }
        return RunParams.parse(params, settings)

    def _make_model(self, warn: Callable[[str], object]) -> str:
        if not self.lake.startswith("file://"):
            raise OrchardError(
                f"no --model for {self.lake}",
                rule="a lake on S3 has its artefacts below <lake>/models",
                remedy="`orchard model --weights=FILE --models=<lake>/models` makes one and prints its URI",
            )
        made = provide_model(self.weights.expanduser() if self.weights else None, local_path(self.lake))
        if made.advice:
            warn(made.advice)
        return made.uri
