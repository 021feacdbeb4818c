"""Read a published basis for the report."""

import io

import numpy as np

from orchard.lake.layout import Lake, is_slug
from orchard.lake.objects import MOST_OF_BASIS, Storage
from orchard.report.facts import Basis
from orchard_jobs.errors import OrchardError


def read_basis(storage: Storage, lake: Lake, basis_id: str) -> Basis:
    """Read a published basis, from where nodes cannot write.

    Raises:
        OrchardError: if it is missing.
    """
    found = find_basis(storage, lake, basis_id)
    if found is None:
        raise OrchardError(
            f"no basis at {_uri(lake, basis_id)}",
            rule="a published run's basis is kept as long as the run",
            remedy="restore it from the bucket's versions, or a backup",
        )
    return found


def find_basis(storage: Storage, lake: Lake, basis_id: str) -> Basis | None:
    """Read a published basis; None if it is missing."""
    try:
        data = storage.read(_uri(lake, basis_id), MOST_OF_BASIS).data
    except FileNotFoundError:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        spectrum = arrays.get("spectrum")
        if spectrum is not None:
            spectrum = spectrum / (spectrum.sum() or 1.0)
        return Basis(arrays["components"], arrays["explained_variance_ratio"], spectrum)


def _uri(lake: Lake, basis_id: str) -> str:
    if not is_slug(basis_id):
        raise OrchardError(
            f"basis_id {basis_id!r}",
            rule="it must be a valid name",
            remedy="find out what wrote the run's run.json",
        )
    return f"{lake.basis(basis_id)}/basis.npz"
