"""Contenders must compute the same features before their speed can be compared."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from orchard_jobs.contract import Precision

LEAST_COSINE = {Precision.FLOAT32: 0.9999, Precision.BFLOAT16: 0.9}
"""Smallest accepted cosine of an image's features from two contenders. Measured with bfloat16: 0.929."""


class DisagreementError(Exception):
    """Two contenders computed different features."""


def require_agreement(theirs: Path, ours: Path, images: Path, precision: Precision) -> float:
    """Compare two feature folders, image by image; return the smallest cosine.

    Raises:
        DisagreementError: if an image is missing in one of them, or its features differ.
    """
    expected, found = _read_features(theirs, images), _read_features(ours, images)
    if expected.keys() != found.keys():
        raise DisagreementError(f"{len(expected)} and {len(found)} images: both must have the same")
    cosines = {path: cosine(expected[path], found[path]) for path in expected}
    worst = min(cosines, key=lambda path: cosines[path])
    if not cosines[worst] >= LEAST_COSINE[precision]:
        raise DisagreementError(
            f"features of {worst} have a cosine of {cosines[worst]:.5f}; at least {LEAST_COSINE[precision]}, "
            "or the contenders do not compute the same"
        )
    return cosines[worst]


def cosine(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Return the cosine of the angle between two vectors; NaN if one is zero."""
    with np.errstate(invalid="ignore"):
        return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _read_features(folder: Path, images: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Return features by path below ``images``, because ``binaryFile`` gives whole URIs."""
    table = pq.read_table(folder, columns=["path", "features"])
    paths = (path.rpartition(f"{images}/")[2] for path in table["path"].to_pylist())
    lists = table["features"].combine_chunks()
    matrix = lists.flatten().to_numpy().astype(np.float64).reshape(table.num_rows, -1)
    return dict(zip(paths, matrix, strict=True))
