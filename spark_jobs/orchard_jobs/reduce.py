"""Spark job 2: exact PCA of all rows that count, from additive statistics, and these rows' components.

Tasks read features one file at a time, and write components themselves; nothing is shuffled. The grouping of
rows into component files depends only on the feature files, so another attempt writes the same files.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark import SparkContext

from orchard_jobs.contract import BasisMode, ReduceJob
from orchard_jobs.errors import OrchardError
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.models.model_card import read_card
from orchard_jobs.pca.basis import Basis, fit_basis, read_basis, write_basis
from orchard_jobs.pca.earlier import FeaturePart, FeatureRows, KnownRows, find_rows
from orchard_jobs.pca.measuring import measure_all, read_statistics, update_statistics
from orchard_jobs.pca.statistics import Statistics
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.spark_tasks import run_tasks, split_evenly
from orchard_jobs.storage import delete_folder, refusing, write_bytes
from orchard_jobs.tables.matrices import to_lists, to_matrix
from orchard_jobs.tables.parquet import (
    SUFFIX,
    Part,
    find_parts,
    read_part,
    sort_by_path,
    to_parquet,
    validate_files,
)
from orchard_jobs.tables.schemas import COMPONENTS as SCHEMA

NEVER_REPEATED = ("components",)
BYTES_PER_FILE = 2**25  # of features per file of components: about 8,000 images
MULTIPLE = 8  # of tasks, so that 2, 4 and 8 cores finish together


def run(context: SparkContext, job: ReduceJob, metrics: JobMetrics) -> None:
    """Write ``components/``, ``basis/`` and ``statistics/`` and fill the metrics.

    Raises:
        OrchardError: if there are no rows with features, more components are requested than can exist, or
            statistics or projected rows do not match the rows that count.
    """
    folder, rows = RunFolder(job.output), find_rows(job)
    with metrics.phase("statistics"):
        before = read_statistics(job.statistics)
        total = update_statistics(context, rows, before) if before else measure_all(context, rows)
        write_bytes(folder.statistics, total.to_bytes())
    metrics.describe(statistics="updated" if before else "measured", counted_rows=total.count)
    with metrics.phase("fit"):
        basis = find_basis(job, total)
        write_basis(folder.basis, basis)
    metrics.describe(**basis.describe(), basis=BasisMode.REUSE if job.basis else BasisMode.REFIT)
    with metrics.phase("project"):
        delete_folder(folder.components)  # an earlier attempt may have had other features
        written = write_components(context, _find_sources(job, rows), basis, folder.components)
    metrics.describe(rows=written)
    _validate_count(written, total)


def find_basis(job: ReduceJob, total: Statistics) -> Basis:
    """Fit a basis, or read the one that the job names.

    Raises:
        OrchardError: if there are no rows to fit, or the basis belongs to another model.
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
            f"--basis={job.basis} has {len(basis.mean)} features of the model {basis.model_id}",
            rule=f"the rows have {total.features} features of the model {model_id}",
            remedy="use a basis of the same model, or refit with --components",
        )
    return basis


@dataclass(frozen=True)
class ToProject:
    """Feature files whose components are written to one file."""

    parts: Sequence[FeaturePart]

    def components(self, basis: Basis) -> pa.Table:
        """Return COMPONENT_COLUMNS of the rows that count."""
        return pa.concat_tables([project(part.read(), basis) for part in self.parts])


@dataclass(frozen=True)
class Projected:
    """A component file of an earlier run with the same basis, from which the rows that stay are copied."""

    part: Part
    staying: KnownRows

    def components(self, basis: Basis) -> pa.Table:
        """Return COMPONENT_COLUMNS of the rows that stay, unchanged.

        Raises:
            OrchardError: if they belong to another basis.
        """
        rows = read_part(self.part, SCHEMA.names).cast(SCHEMA)
        rows = rows.filter(self.staying(rows["path"])) if len(rows) else rows
        others = sorted(set(rows["basis_id"].unique().to_pylist()) - {basis.id})
        if others:
            raise OrchardError(
                f"--projected has rows of the basis {', '.join(others)}",
                rule=f"they are copied unchanged, so they must have the basis of --basis, {basis.id}",
                remedy="name the basis and the components of the same run, or omit --projected",
            )
        return rows


Source = ToProject | Projected


def project(rows: pa.Table, basis: Basis) -> pa.Table:
    """Return COMPONENT_COLUMNS of rows with features."""
    components = [
        to_lists(basis.project(to_matrix(batch["features"]))) for batch in rows.to_batches() if len(batch)
    ]
    return pa.table(
        {
            "path": rows["path"],
            "label": rows["label"],
            "components": pa.chunked_array(components, SCHEMA.field("components").type),
            "basis_id": [basis.id] * len(rows),
        },
        SCHEMA,
    )


def write_components(context: SparkContext, sources: Sequence[Source], basis: Basis, uri: str) -> int:
    """Write one component file per source, sorted by path; return the number of rows.

    Raises:
        OrchardError: if a file cannot be written, or another job writes to the folder.
    """
    known = context.broadcast(basis)
    names = [f"part-{number:05d}{SUFFIX}" for number in range(len(sources))]

    def write(named: Iterable[tuple[str, Source]]) -> Iterator[int]:
        for name, source in named:
            rows, file = sort_by_path(source.components(known.value)), f"{uri}/{name}"
            with refusing(
                file,
                rule="the nodes must be able to write components",
                remedy="allow writing there, or free some space",
            ):
                write_bytes(file, to_parquet(rows, NEVER_REPEATED))
            yield len(rows)

    written = run_tasks(context, list(zip(names, sources, strict=True)), write)
    validate_files(uri, names)
    return sum(written)


def _find_sources(job: ReduceJob, rows: FeatureRows) -> list[Source]:
    """Return the sources of components: rows to project, and rows projected in an earlier run."""
    if not job.projected or not job.earlier:
        return list[Source](group_parts(rows.find_counting()))
    staying = KnownRows(tuple(find_parts(job.earlier)), None, stays=True)
    return [*(Projected(part, staying) for part in find_parts(job.projected)), *group_parts(rows.new)]


def group_parts(parts: Sequence[FeaturePart]) -> list[ToProject]:
    """Cut ``parts`` into groups of about the same size, each for one component file."""
    sizes = [part.part.size for part in parts]
    count = MULTIPLE * math.ceil(sum(sizes) / (MULTIPLE * BYTES_PER_FILE))
    return [ToProject(tuple(group)) for group in split_evenly(parts, sizes, count)]


def _validate_count(rows: int, total: Statistics) -> None:
    """Check that the statistics cover the rows that count; they do not if an earlier run was changed."""
    if total.count != rows:
        raise OrchardError(
            f"statistics of {total.count} rows for {rows} rows",
            rule="the given statistics, plus this run's rows and minus those that leave, must cover all rows",
            remedy="restore features/ of the earlier run that changed or got lost; in a manual run, omit "
            "--statistics and --projected",
        )
