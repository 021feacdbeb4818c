"""Spark job 2: exact PCA of all rows that count, from additive statistics, and these rows' components."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from orchard_jobs.contract import COMPONENT_COLUMNS, BasisMode, ReduceJob
from orchard_jobs.errors import OrchardError
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.models.model_card import read_card
from orchard_jobs.parquet import read_parquet
from orchard_jobs.pca.basis import Basis, fit_basis, read_basis, write_basis
from orchard_jobs.pca.earlier import FeatureRows, find_rows, staying_components
from orchard_jobs.pca.matrices import to_lists, to_matrix
from orchard_jobs.pca.measuring import measure_all, read_statistics, update_statistics
from orchard_jobs.pca.statistics import Statistics
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.storage import write_bytes

COMPONENTS_SCHEMA = "path string, label string, components array<double>, basis_id string"


def run(spark: SparkSession, job: ReduceJob, metrics: JobMetrics) -> None:
    """Write ``components/``, ``basis/`` and ``statistics/`` and fill the metrics.

    Raises:
        OrchardError: when there are no good rows, more components are asked for than can exist, or the
            statistics or the projected rows are not those of the rows that count.
    """
    folder, rows = RunFolder(job.output), find_rows(spark, job)
    with metrics.phase("statistics"):
        before = read_statistics(job.statistics)
        total = update_statistics(rows, before) if before else measure_all(rows)
        write_bytes(folder.statistics, total.to_bytes())
    metrics.describe(statistics="updated" if before else "measured", counted_rows=total.count)
    with metrics.phase("fit"):
        basis = find_basis(job, total)
        write_basis(folder.basis, basis)
    metrics.describe(**basis.describe(), basis=BasisMode.REUSE if job.basis else BasisMode.REFIT)
    with metrics.phase("project"):
        find_components(spark, job, rows, basis).write.mode("overwrite").parquet(folder.components)
    written = count_by_basis(read_parquet(spark, folder.components))
    metrics.describe(rows=sum(written.values()))
    _refuse_mixture(written, basis)
    _refuse_drift(sum(written.values()), total)


def find_basis(job: ReduceJob, total: Statistics) -> Basis:
    """Fit, or read the basis that the job names.

    Raises:
        OrchardError: where there is nothing to fit on, or the basis is one of another model.
    """
    model_id = read_card(job.model).id if job.model else None
    if not job.basis:
        return fit_basis(
            total,
            components=job.components,
            variance=job.variance,
            model_id=model_id,
            signs_like=read_basis(job.signs_like) if job.signs_like else None,
        )
    basis = read_basis(job.basis)
    if not basis.is_comparable(total.features, model_id):
        raise OrchardError(
            f"--basis={job.basis} of {len(basis.mean)} features of the model {basis.model_id}",
            rule=f"the rows have {total.features} features of the model {model_id}",
            remedy="use a basis of the same model, or refit with --components",
        )
    return basis


def find_components(spark: SparkSession, job: ReduceJob, rows: FeatureRows, basis: Basis) -> DataFrame:
    """Return COMPONENT_COLUMNS of all rows that count: projected here, or in an earlier run."""
    if not job.projected or not job.earlier:
        return project(rows.find_counting(), basis)
    untouched = staying_components(spark, job.projected, job.earlier).select(*COMPONENT_COLUMNS)
    return untouched.unionByName(project(rows.new, basis))


def project(rows: DataFrame, basis: Basis) -> DataFrame:
    """Return COMPONENT_COLUMNS of good rows."""

    def project_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            projected = basis.project(to_matrix(batch["features"]))
            yield pa.RecordBatch.from_pydict(
                {
                    "path": batch["path"],
                    "label": batch["label"],
                    "components": to_lists(projected),
                    "basis_id": pa.array([basis.id] * len(batch), pa.string()),
                }
            )

    return rows.select("path", "label", "features").mapInArrow(project_batches, COMPONENTS_SCHEMA)


def count_by_basis(components: DataFrame) -> dict[str, int]:
    """Return the number of rows by the id of their basis."""
    return {row["basis_id"]: row["count"] for row in components.groupBy("basis_id").count().collect()}


def _refuse_mixture(written: dict[str, int], basis: Basis) -> None:
    others = sorted(set(written) - {basis.id})
    if others:
        raise OrchardError(
            f"--projected has rows of the basis {', '.join(others)}",
            rule=f"they are taken as they are, so they must be of --basis, {basis.id}",
            remedy="name the basis and the components of one run, or leave --projected out",
        )


def _refuse_drift(rows: int, total: Statistics) -> None:
    """The statistics are of the rows that count, or someone has changed an earlier run."""
    if total.count != rows:
        raise OrchardError(
            f"statistics of {total.count} rows for {rows} rows",
            rule="those given, with this run's rows and without those that leave, are of the rows that count",
            remedy="restore what was changed or lost in features/ of an earlier run; by hand, run reduce "
            "without --statistics and --projected",
        )
