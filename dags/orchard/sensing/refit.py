"""Decide whether the parameters require a refit although no image is new.

A refit uses the stored statistics and projects all rows again. It reads no image.
"""

import numpy as np

from orchard.lake.run_index import RunIndex
from orchard.report.loading.bases import find_basis
from orchard.settings.run_params import RunParams
from orchard_jobs.contract import BasisMode


def describe_refit(index: RunIndex, newest: str, params: RunParams) -> str | None:
    """Return how ``params`` differ from the run ``newest`` of the same images; None if they do not.

    ``basis=reuse`` never requires a refit.
    """
    if params.basis is BasisMode.REUSE:
        return None
    record, wanted = index.describe(newest), []
    k, components, variance = record.get("components"), params.components, params.variance
    if components is not None and components != k:
        wanted.append(f"components={components}")
    if variance is not None and _count_for(index, record.get("basis_id"), variance) != k:
        wanted.append(f"variance={variance}")
    if record.get("basis") == BasisMode.REUSE.value:
        wanted.append("basis=refit")
    if not wanted:
        return None
    kept = record.get("variance_kept") or 0.0
    return (
        f"{' and '.join(wanted)}, where the newest result has {k} components with {kept:.1%} of the variance"
        f", basis {record.get('basis')}"
    )


def _count_for(index: RunIndex, basis_id: object, variance: float) -> int | None:
    """Return how many components keep that share; None if the published basis does not have as many."""
    found = find_basis(index.storage, index.lake, basis_id) if isinstance(basis_id, str) else None
    if found is None:
        return None
    together = np.cumsum(found.ratio)
    enough = together >= variance - 1e-12  # as the fit counts them
    if not together[-1:].any():
        return 1  # all rows are identical
    return int(np.argmax(enough)) + 1 if enough.any() else None
