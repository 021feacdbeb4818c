"""The arguments of a run's jobs. Pure."""

from dataclasses import dataclass, replace

from orchard.lake.layout import Lake
from orchard.lake.sensed import Sensed
from orchard.settings.feature_spec import FeatureSpec
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard_jobs.contract import BasisMode, ExportJob, FeaturizeJob, ReduceJob
from orchard_jobs.run_folder import RunFolder


@dataclass(frozen=True)
class RunJobs:
    """The jobs of the run ``slug``.

    Each job is built from ``sensed``, the value of the task ``sense``: its images and feature spec are used
    even if the settings have changed since.
    """

    slug: str
    params: RunParams
    settings: Settings

    @property
    def folder(self) -> RunFolder:
        return Lake(self.settings.places.lake).run(self.slug)

    def featurize(self, sensed: Sensed) -> FeaturizeJob:
        spark, spec = self.settings.spark, FeatureSpec.from_json(sensed["feature_spec"])
        return FeaturizeJob(
            images=sensed["images"],
            model=sensed["model"],
            output=self.folder.uri,
            manifest=self.folder.manifest,
            precision=spec.precision,
            decoding=spec.decoding,
            damaged_images=spec.damaged_images,
            instruction_set=spec.instruction_set,
            batch_size=spark.batch_size,
            concurrent_reads=spark.concurrent_reads,
            max_failure_ratio=self.params.max_failure_ratio,
            listed=sensed["listed"],
            listing=sensed["listing"],
        )

    def reduce(self, sensed: Sensed) -> ReduceJob:
        """Fit the basis on all rows, or project the new ones onto the previous run's basis."""
        job = ReduceJob(
            features=(self.folder.features,),
            output=self.folder.uri,
            components=self.params.components,
            variance=self.params.variance,
            model=sensed["model"],
            listing=sensed["listing"],
        )
        if sensed["builds_on"] is None:
            return job
        before = Lake(self.settings.places.lake).run(sensed["builds_on"])
        continued = replace(job, earlier=self.folder.earlier, statistics=(before.statistics,))
        if self.params.basis is BasisMode.REFIT:
            return replace(continued, signs_like=before.basis)
        return replace(
            continued, components=None, variance=None, basis=before.basis, projected=before.components
        )

    def export(self, sensed: Sensed) -> ExportJob:
        return ExportJob(
            components=(self.folder.components,),
            features=(self.folder.features,),
            output=self.folder.uri,
            listing=sensed["listing"],
        )
