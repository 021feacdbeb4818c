"""Load the facts of a published run's report from the lake."""

import numpy as np
import pyarrow.compute as pc

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage
from orchard.lake.run_index import RunIndex
from orchard.lake.run_record import RunRecord
from orchard.report.facts import ENDS, Extremes, Facts, Picture, Rejected, Sample
from orchard.report.loading.bases import read_basis
from orchard.report.loading.changes import find_changes
from orchard.report.loading.rows import read_folder
from orchard.report.loading.survey import Chosen, survey
from orchard.report.loading.thumbnails import find_thumbnails
from orchard.report.numbers.neighbours import separate
from orchard_jobs.contract import Status
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

REJECTED = 200
"""Maximum rejected images in the report; rejects.csv has all."""


def read_facts(storage: Storage, lake: Lake, slug: str) -> Facts:
    """Read the facts of the run ``slug``.

    Raises:
        OrchardError: if it is not published, or its results have been deleted.
    """
    folder = lake.run(slug)
    run = _read_run(storage, lake, slug)
    seen = survey(storage, folder.components, run["components"], ENDS)
    ends = {path for ends in (*seen.lows, *seen.highs) for path, _ in ends}
    thumbnails = find_thumbnails(storage, lake, slug, {*seen.sample.paths, *ends})

    def pictures(found: tuple[tuple[str, str], ...]) -> tuple[Picture, ...]:
        return tuple(Picture(path, label, thumbnails.get(path)) for path, label in found)

    sample = _to_sample(seen.sample, pictures(tuple(zip(seen.sample.paths, seen.sample.labels, strict=True))))
    basis = read_basis(storage, lake, run["basis_id"])
    return Facts(
        run=run,
        label_counts=seen.label_counts,
        sample=sample,
        separation=separate(sample.components, sample.labels),
        extremes=tuple(
            Extremes(pictures(low), pictures(high)) for low, high in zip(seen.lows, seen.highs, strict=True)
        ),
        basis=basis,
        changes=find_changes(storage, lake, run, basis),
        rejected=_read_rejected(storage, folder),
    )


def _read_run(storage: Storage, lake: Lake, slug: str) -> RunRecord:
    index = RunIndex.load(storage, lake)
    if slug not in index:
        raise OrchardError(
            f"{lake.latest} does not name a run {slug!r}",
            rule="only published runs have reports",
            remedy="name one of its 'runs', or publish this one first",
        )
    return index.read(slug)


def _to_sample(chosen: Chosen, pictures: tuple[Picture, ...]) -> Sample:
    names, labels = np.unique(np.array(chosen.labels, dtype=object), return_inverse=True)
    return Sample(pictures, labels.astype(np.int64), tuple(names.tolist()), chosen.components)


def _read_rejected(storage: Storage, folder: RunFolder) -> tuple[Rejected, ...]:
    """Return the first REJECTED rejected images, by path."""
    found: list[tuple[str, str, str]] = []
    for batch in read_folder(storage, folder.features, ["path", "status", "error"]):
        bad = batch.filter(pc.not_equal(batch["status"], Status.OK.value))
        rows = zip(*(bad[name].to_pylist() for name in ("path", "status", "error")), strict=True)
        found = sorted([*found, *rows])[:REJECTED]
    return tuple(Rejected(path, status, error or "") for path, status, error in found)
