"""Validate a run's basis, and publish it under the digest of its content.

A node wrote it, so the published file is written again from its numbers only: nothing else in it is copied.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchard.lake.layout import Lake
from orchard.lake.objects import MOST_OF_BASIS, Storage
from orchard.publishing.run_metrics import ReduceMetrics
from orchard_jobs.contract import digest_basis
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

MOST_BYTES_OF_FACTS = 2**16
ARRAYS = ("mean", "components", "explained_variance", "explained_variance_ratio", "spectrum")
OPTIONAL = "spectrum"  # bases of earlier versions have none

Arrays = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class RunBasis:
    """A basis that can be published.

    Args:
        files: Content by file name, written from its numbers.
        rank: Number of components that explain any variance. n images span at most n - 1 directions: further
            components are rounding errors.
    """

    files: Mapping[str, bytes]
    rank: int


def publish_basis(storage: Storage, lake: Lake, files: Mapping[str, bytes], basis_id: str) -> None:
    """Write a basis to where readers find it, unless it exists.

    Raises:
        OrchardError: if a different basis exists under its id.
    """
    target = lake.basis(basis_id)
    there = set(storage.names(target))
    if "basis.npz" in there and _find_id(storage.read(f"{target}/basis.npz", MOST_OF_BASIS).data) != basis_id:
        raise OrchardError(
            f"{target}/basis.npz is a different basis",
            rule="a basis is named after its content, and never changes",
            remedy="find out what wrote there; nothing has been published",
        )
    for name, data in files.items():
        if name not in there:
            storage.write(f"{target}/{name}", data)


def _find_id(data: bytes) -> str | None:
    """Return the id of a basis, from its numbers; None if it is not a basis."""
    try:
        arrays = _read_arrays(data)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile):
        return None
    return digest_basis(arrays["mean"].tobytes(), arrays["components"].tobytes())


def read_basis(storage: Storage, folder: RunFolder, metrics: ReduceMetrics) -> RunBasis:
    """Return a run's basis.

    Raises:
        OrchardError: if it is invalid, or differs from the job's metrics.
    """
    try:
        arrays = _read_arrays(storage.read(f"{folder.basis}/basis.npz", MOST_OF_BASIS).data)
        facts = json.loads(storage.read(f"{folder.basis}/basis.json", MOST_BYTES_OF_FACTS).data)
        facts = _check_facts(facts, arrays, metrics)
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile) as error:
        raise OrchardError(
            f"{folder.basis} has no valid basis ({type(error).__name__}: {_show(error)})",
            rule="it must be the basis that 'reduce' fitted, named by the digest of its numbers",
            remedy="clear this run's task 'reduce' with its downstream tasks",
        ) from error
    buffer = io.BytesIO()
    np.savez(buffer, **dict[str, Any](arrays))
    text = json.dumps(facts, indent=2, sort_keys=True).encode() + b"\n"
    return RunBasis({"basis.npz": buffer.getvalue(), "basis.json": text}, _find_rank(arrays))


def _find_rank(arrays: Arrays) -> int:
    """Count the variances above rounding error, like NumPy's matrix_rank."""
    variances = arrays["explained_variance"]
    return int((variances > variances.max() * len(arrays["mean"]) * np.finfo(np.float64).eps).sum())


def _read_arrays(data: bytes) -> dict[str, npt.NDArray[np.float64]]:
    """Return the arrays of basis.npz in the order in which the job writes them.

    Raises:
        ValueError: if they are not a basis: wrong names or shapes, or numbers that are not finite.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        size = sum(member.file_size for member in packed.infolist())
        names = {member.filename.removesuffix(".npy") for member in packed.infolist()}
    if size > MOST_OF_BASIS or not set(ARRAYS) - {OPTIONAL} <= names <= set(ARRAYS):
        raise ValueError(f"{len(names)} arrays of {size} bytes")
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        arrays = {name: found[name] for name in ARRAYS if name in names}
    features, k = len(arrays["mean"]), len(arrays["components"])
    shapes = {
        "mean": (features,),
        "components": (k, features),
        "explained_variance": (k,),
        "explained_variance_ratio": (k,),
        "spectrum": (features,),
    }
    for name, array in arrays.items():
        if array.dtype != np.float64 or array.shape != shapes[name] or not np.isfinite(array).all():
            raise ValueError(f"{name} of {array.dtype} {array.shape}")
    return arrays


def _check_facts(facts: Any, arrays: Arrays, metrics: ReduceMetrics) -> dict[str, Any]:
    """Return the content of basis.json, after validating it.

    Raises:
        ValueError: if it does not match the arrays, or the job's metrics.
    """
    kept = float(arrays["explained_variance_ratio"].sum())
    if not math.isclose(kept, facts["variance_kept"], abs_tol=1e-9):  # CPUs differ in summation order
        raise ValueError(f"it keeps {kept} of the variance")
    expected = {
        "basis_id": digest_basis(arrays["mean"].tobytes(), arrays["components"].tobytes()),
        "k": len(arrays["components"]),
        "variance_kept": facts["variance_kept"],
        "fitted_rows": metrics.fitted_rows,
        "model_id": facts["model_id"],
    }
    reported = (metrics.basis_id, metrics.k, metrics.variance_kept)
    if facts != expected or reported != tuple(expected.values())[:3]:
        raise ValueError(f"it is {expected['basis_id']} of {expected['k']} components")
    if not isinstance(expected["model_id"], str | None):
        raise ValueError("the id of its model is not a string")
    return expected


def _show(error: Exception) -> str:
    return str(error)[:200].encode("unicode_escape").decode()
