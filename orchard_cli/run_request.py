"""Turns the options of ``orchard run`` into the settings and parameters of an Airflow run."""

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
    """The options of one run; ``images`` and ``lake`` are URIs."""

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
        """Return the settings and run parameters; package the jobs, and export a model if none is given.

        Raises:
            OrchardError: if options contradict each other, or the weights are invalid.
        """
        self._validate_weights()
        parse_images(self.images, self.lake)  # before anything is written into the lake
        self._choices(self._settings(self.model or f"{self.lake}/models"))
        package.main(CODE)
        settings = self._settings(self.model or self._build_model(warn))
        return settings, self._choices(settings)

    def _validate_weights(self) -> None:
        weights = self.weights and self.weights.expanduser()
        if weights and weights.name != BY_NAME and not weights.is_file():
            raise OrchardError(
                f"--weights={self.weights}",
                rule="it must be an existing .h5 or .keras file, or the word untrained",
                remedy="correct the path; without it, the lake's current model or Keras's weights are used",
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
            "cost_ceiling": None,  # local runs cost nothing
            "recompute": True,  # the user has confirmed it
        }
        return RunParams.parse(params, settings)

    def _build_model(self, warn: Callable[[str], object]) -> str:
        if not self.lake.startswith("file://"):
            raise OrchardError(
                f"no --model for {self.lake}",
                rule="a lake in S3 needs a model artefact, which `orchard run` does not create",
                remedy="`orchard model --weights=FILE --models=<lake>/models` creates one and prints its URI",
            )
        model = provide_model(self.weights.expanduser() if self.weights else None, local_path(self.lake))
        if model.advice:
            warn(model.advice)
        return model.uri
