"""The jobs of one run, with their arguments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchard.choices import Choices
from orchard.lake import Lake
from orchard.settings import Settings
from orchard_jobs.contract import ExportJob, FeaturizeJob, ReduceJob, RunFolder


@dataclass(frozen=True)
class RunJobs:
    """What is to be computed for the run ``slug``."""

    slug: str
    choices: Choices
    settings: Settings

    @property
    def folder(self) -> RunFolder:
        return Lake(self.settings.places.lake).run(self.slug)

    def featurize(self) -> FeaturizeJob:
        spark = self.settings.spark
        return FeaturizeJob(
            images=self.choices.images,
            model=self.settings.places.model,
            output=self.folder.uri,
            manifest=self.folder.manifest,
            precision=self.choices.precision,
            batch_size=spark.batch_size,
            concurrent_reads=spark.concurrent_reads,
            max_failure_ratio=self.choices.max_failure_ratio,
        )

    def reduce(self, sensed: Mapping[str, Any]) -> ReduceJob:
        """Fit on all history: the features, and for the fit only the statistics, of the earlier runs."""
        earlier = [Lake(self.settings.places.lake).run(slug) for slug in sensed["earlier"]]
        return ReduceJob(
            features=tuple(run.features for run in [*earlier, self.folder]),
            output=self.folder.uri,
            components=self.choices.components,
            variance=self.choices.variance,
            statistics=tuple(run.statistics for run in earlier),
            model=self.settings.places.model,
        )

    def export(self) -> ExportJob:
        return ExportJob(
            components=(self.folder.components,),
            features=(self.folder.features,),
            output=self.folder.uri,
            model=self.settings.places.model,
        )
