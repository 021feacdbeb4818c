"""The basis of a run, as the report needs it."""

import io

import numpy as np

from orchard.lake.objects import Storage
from orchard.report.facts import Basis
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder


def read_basis(storage: Storage, folder: RunFolder) -> Basis:
    """Read the basis of a run.

    Raises:
        OrchardError: where there is none.
    """
    found = find_basis(storage, folder)
    if found is None:
        raise OrchardError(
            f"no basis at {_uri(folder)}",
            rule="a published run has one",
            remedy="copy it from the lake's basis/ folder of that id",
        )
    return found


def find_basis(storage: Storage, folder: RunFolder) -> Basis | None:
    """Read the basis of a run, None where there is none."""
    try:
        data = storage.read(_uri(folder)).data
    except FileNotFoundError:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        spectrum = arrays.get("spectrum")
        if spectrum is not None:
            spectrum = spectrum / (spectrum.sum() or 1.0)
        return Basis(arrays["components"], arrays["explained_variance_ratio"], spectrum)


def _uri(folder: RunFolder) -> str:
    return f"{folder.basis}/basis.npz"
