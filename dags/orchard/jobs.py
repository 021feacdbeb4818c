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

    def featurize(self, sensed: Mapping[str, Any]) -> FeaturizeJob:
        """``sensed`` is the value of the task ``sense``."""
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
            listed=sensed["listed"],
        )

    def reduce(self) -> ReduceJob:
        return ReduceJob(
            features=(self.folder.features,),
            output=self.folder.uri,
            components=self.choices.components,
            variance=self.choices.variance,
            history=self.folder.history,
            model=self.settings.places.model,
        )

    def export(self) -> ExportJob:
        return ExportJob(
            components=(self.folder.components,),
            features=(self.folder.features,),
            output=self.folder.uri,
            model=self.settings.places.model,
        )
