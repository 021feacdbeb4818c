"""Compare a run with the run that it builds on."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from orchard.lake.layout import Lake
from orchard.lake.objects import Storage, read_json
from orchard.report.facts import Basis, Changes
from orchard.report.loading.bases import find_basis
from orchard.report.loading.rows import read_file
from orchard.report.numbers.spectrum import principal_angles, turned
from orchard_jobs.run_folder import RunFolder


def find_changes(storage: Storage, lake: Lake, run: Mapping[str, Any], basis: Basis) -> Changes | None:
    """Return the changes; None if the run builds on none, or on a deleted run."""
    if run["builds_on"] is None:
        return None
    folder, before = lake.run(run["run"]), lake.run(run["builds_on"])
    try:
        summary = read_json(storage, before.run_json)
    except FileNotFoundError:
        return None
    new, changed = _count_new(storage, folder)
    old = find_basis(storage, lake, summary["basis_id"])
    is_comparable = old is not None and old.components.shape[1] == basis.components.shape[1]
    return Changes(
        run=summary["run"],
        new=new,
        changed=changed,
        deleted=run["counts"]["deleted"],
        variance_kept=summary["variance_kept"],
        components=summary["components"],
        angles=principal_angles(basis.components, old.components) if old and is_comparable else None,
        turned=turned(basis.components, old.components) if old and is_comparable else None,
    )


def _count_new(storage: Storage, folder: RunFolder) -> tuple[int | None, int | None]:
    """Return how many images were new, and how many had changed; None if the run has been compacted."""
    try:
        outcomes = [batch["path"] for batch in read_file(storage, folder.outcomes, ["path"])]
        paths = pa.concat_arrays([pa.array([], pa.string()), *outcomes])
        known = sum(
            pc.sum(pc.is_in(batch["path"], paths)).as_py() or 0
            for batch in read_file(storage, folder.earlier, ["path"])
        )
    except FileNotFoundError:
        return None, None
    return len(paths) - known, known
