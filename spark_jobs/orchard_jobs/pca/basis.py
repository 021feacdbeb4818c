"""Principal components from additive statistics: exact, mean-centred, with stable signs."""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchard_jobs.contract import digest_basis
from orchard_jobs.errors import OrchardError
from orchard_jobs.kernels import require_pinned_blas
from orchard_jobs.pca.statistics import Matrix, Statistics
from orchard_jobs.storage import open_folder, write_bytes

SAME_DIRECTION = 0.5**0.5  # at most one of several orthonormal components has a larger cosine


@dataclass(frozen=True)
class Basis:
    """A fitted PCA, in scikit-learn's terms.

    Args:
        mean: (d,)
        components: (k, d), orthonormal rows, by descending explained variance.
        explained_variance: (k,), with n - 1 in the denominator.
        explained_variance_ratio: (k,), relative to the variance of all d features; zeros if there is none.
        fitted_rows: Number of rows it was fitted on.
        model_id: Id of the model artefact behind the features, if known.
        spectrum: (d,), explained variance of all d directions, kept or not. None in a basis that an older
            version stored.
    """

    mean: Matrix
    components: Matrix
    explained_variance: Matrix
    explained_variance_ratio: Matrix
    fitted_rows: int
    model_id: str | None = None
    spectrum: Matrix | None = None

    @property
    def id(self) -> str:
        """The digest of mean and components."""
        mean, components = (
            np.ascontiguousarray(array, dtype="<f8").tobytes() for array in (self.mean, self.components)
        )
        return digest_basis(mean, components)

    @property
    def k(self) -> int:
        return len(self.components)

    @property
    def variance_kept(self) -> float:
        return float(self.explained_variance_ratio.sum())

    def project(self, rows: npt.NDArray[np.floating]) -> Matrix:
        """Return the components (n, k) of feature rows (n, d). Rows do not influence each other's results.

        Uses einsum, whose own loop always sums in the same order. For a matrix product, BLAS would choose a
        kernel by the number of rows and the CPU, which changes the last bit.

        Raises:
            OrchardError: if the rows have a different length than those it was fitted on.
        """
        if rows.shape[1] != len(self.mean):
            raise OrchardError(
                f"rows of {rows.shape[1]} features",
                rule=f"the basis {self.id} has {len(self.mean)} features",
                remedy="use a basis that was fitted on features of the same model",
            )
        centred = np.ascontiguousarray(rows, dtype=np.float64) - self.mean
        projected: Matrix = np.einsum("ij,kj->ik", centred, self.components)
        return projected

    def is_comparable(self, features: int, model_id: str | None) -> bool:
        """Return whether it has as many features and, if both models are known, the same model."""
        return len(self.mean) == features and (
            model_id is None or self.model_id is None or self.model_id == model_id
        )

    def describe(self) -> dict[str, Any]:
        """Return the facts for ``basis.json`` and the metrics."""
        return {
            "basis_id": self.id,
            "k": self.k,
            "variance_kept": self.variance_kept,
            "fitted_rows": self.fitted_rows,
            "model_id": self.model_id,
        }


def fit_basis(
    statistics: Statistics,
    *,
    components: int | None = None,
    variance: float | None = None,
    model_id: str | None = None,
    signs_like: Basis | None = None,
) -> Basis:
    """Fit a basis from the eigenvectors of the covariance matrix.

    The sign of an eigenvector is arbitrary. One that points along a component of ``signs_like`` gets its
    sign; for any other, the loading of largest magnitude is positive, as in scikit-learn's PCA.

    With fewer rows than components, the components beyond the rows' rank explain nothing and every
    row projects to zero on them.

    Raises:
        OrchardError: for more components than features, no rows, or kernels whose last bits would differ on
            other machines.
    """
    _validate_statistics(statistics, components)
    require_pinned_blas()
    mean = statistics.sum() / statistics.count
    scatter = statistics.gram() - statistics.count * np.outer(mean, mean)
    values, vectors = np.linalg.eigh(scatter / max(statistics.count - 1, 1))
    # eigh sorts in ascending order; rounding makes the smallest slightly negative.
    explained, directions = np.clip(values[::-1], 0, None), vectors.T[::-1]
    ratio = explained / explained.sum() if explained.sum() > 0 else np.zeros_like(explained)
    kept = components or _count_for_variance(ratio, variance or 1.0)
    like = signs_like if signs_like and signs_like.is_comparable(len(mean), model_id) else None
    return Basis(
        mean=mean,
        components=_fix_signs(directions[:kept], like),
        explained_variance=explained[:kept],
        explained_variance_ratio=ratio[:kept],
        fitted_rows=statistics.count,
        model_id=model_id,
        spectrum=explained,
    )


def write_basis(uri: str, basis: Basis) -> None:
    """Write ``basis.npz`` and ``basis.json`` into the folder ``uri``."""
    buffer = io.BytesIO()
    more: dict[str, Any] = {} if basis.spectrum is None else {"spectrum": basis.spectrum}
    np.savez(
        buffer,
        mean=basis.mean,
        components=basis.components,
        explained_variance=basis.explained_variance,
        explained_variance_ratio=basis.explained_variance_ratio,
        **more,
    )
    write_bytes(f"{uri}/basis.npz", buffer.getvalue())
    write_bytes(f"{uri}/basis.json", json.dumps(basis.describe(), indent=2, sort_keys=True).encode() + b"\n")


def read_basis(uri: str) -> Basis:
    """Read what ``write_basis`` wrote.

    Raises:
        OrchardError: if there is no basis.
    """
    read = open_folder(uri)
    try:
        arrays = np.load(io.BytesIO(read("basis.npz")), allow_pickle=False)
        facts = json.loads(read("basis.json"))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise OrchardError(
            f"no basis at {uri} ({error})",
            rule="--basis and --signs-like must name a folder with basis.npz and basis.json",
            remedy="correct the URI",
        ) from error
    return Basis(**arrays, fitted_rows=facts["fitted_rows"], model_id=facts["model_id"])


def _validate_statistics(statistics: Statistics, components: int | None) -> None:
    features = statistics.features
    if statistics.count < 1:
        raise OrchardError(
            "no feature rows", rule="a basis needs at least one", remedy="see the rejected rows"
        )
    if components is not None and components > features:
        raise OrchardError(
            f"--components={components}",
            rule=f"rows of {features} features have at most {features} components",
            remedy="choose fewer",
        )


def _count_for_variance(ratio: Matrix, variance: float) -> int:
    """Return the smallest number of components that explains ``variance``: one if there is no variance.

    A tolerance keeps rounding from adding one more.
    """
    return int(np.argmax(np.cumsum(ratio) >= variance - 1e-12)) + 1


def _fix_signs(directions: Matrix, like: Basis | None) -> Matrix:
    largest = np.abs(directions).argmax(axis=1)
    guides = directions[np.arange(len(directions)), largest]
    if like:
        cosines = directions @ like.components.T
        nearest = cosines[np.arange(len(cosines)), np.abs(cosines).argmax(axis=1)]
        guides = np.where(np.abs(nearest) > SAME_DIRECTION, nearest, guides)
    return np.ascontiguousarray(directions * np.where(guides < 0, -1.0, 1.0)[:, np.newaxis])
