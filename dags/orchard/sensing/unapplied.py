"""What was asked for that a run without new images does not do: nothing of that is passed over in silence."""

import numpy as np

from orchard.lake.run_index import RunIndex
from orchard.report.loading.bases import find_basis
from orchard_jobs.contract import BasisMode


def find_unapplied(
    index: RunIndex, newest: str, components: int | None, variance: float | None, basis: BasisMode | None
) -> str | None:
    """Return what the run ``newest`` of the same images is not as asked for; None where it is.

    Args:
        components: Asked for; None for no wish, as with the others.
        variance: The share to keep, by as few components as do.
    """
    record = index.describe(newest)
    k, kept = record.get("components"), record.get("variance_kept") or 0.0
    wanted = []
    if components is not None and components != k:
        wanted.append(f"components={components}")
    if variance is not None and _count_for(index, record.get("basis_id"), variance) != k:
        wanted.append(f"variance={variance}")
    if basis is BasisMode.REFIT and record.get("basis") == BasisMode.REUSE.value:
        wanted.append("basis=refit")
    if not wanted:
        return None
    return (
        f"{' and '.join(wanted)} is not applied, because no image is new: the newest result keeps {k} "
        f"components with {kept:.1%} of the variance, basis {record.get('basis')}"
    )


def _count_for(index: RunIndex, basis_id: object, variance: float) -> int | None:
    """Return how many components keep that share; None where the published basis has not as many."""
    found = find_basis(index.storage, index.lake, basis_id) if isinstance(basis_id, str) else None
    if found is None:
        return None
    together = np.cumsum(found.ratio)
    enough = together >= variance - 1e-12  # another CPU adds in another order
    return int(np.argmax(enough)) + 1 if enough.any() else None
