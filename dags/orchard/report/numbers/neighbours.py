"""How well the components separate labels: nearest neighbours, silhouettes, spread. Pure.

All functions compare every pair of rows, so they suit samples of a few thousand.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Separation:
    """The separation of n rows with labels 0 … m-1.

    Args:
        nearest: (n,), each row's nearest other row.
        silhouette: (m,), mean over the label's rows, from -1 to 1; NaN if there is only one label. The only
        row
            of a label counts 0, as in scikit-learn.
        spread: (m,), root mean square distance to the mean of the label's rows.
        closest: (m,), the label whose rows are nearest on average; -1 if there is only one label.
        typical: (m,), the row nearest to the mean of the label's rows.
    """

    nearest: Integers
    silhouette: Matrix
    spread: Matrix
    closest: Integers
    typical: Integers


def separate(rows: Matrix, labels: npt.NDArray[np.integer]) -> Separation:
    """Compare rows (n, k), n >= 1; every label from 0 to m-1 has at least one row."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    nearest = np.empty(len(rows), np.int64)
    silhouettes = np.zeros(len(rows))
    between = np.zeros((len(counts), len(counts)))  # sums of distances from label to label
    for block, distances in _distances(rows, order):
        own = labels[block]
        here = np.arange(len(block))
        sums = np.add.reduceat(distances, starts, axis=1)
        np.add.at(between, own, sums)
        silhouettes[block] = _silhouettes(sums, own, counts)
        itself = np.empty(len(rows), np.int64)
        itself[order] = np.arange(len(rows))
        distances[here, itself[block]] = np.inf
        nearest[block] = order[distances.argmin(axis=1)] if len(rows) > 1 else -1
    means = np.array([rows[labels == label].mean(axis=0) for label in range(len(counts))])
    from_mean = ((rows - means[labels]) ** 2).sum(axis=1)
    return Separation(
        nearest=nearest,
        silhouette=_mean_by(silhouettes, labels) if len(counts) > 1 else np.full(1, np.nan),
        spread=np.sqrt(_mean_by(from_mean, labels)),
        closest=_closest(between / np.outer(counts, counts)),
        typical=np.array([_lowest(from_mean, labels, label) for label in range(len(counts))]),
    )


def _distances(rows: Matrix, order: Integers) -> Iterator[tuple[Integers, Matrix]]:
    """Yield the indices of a block of rows, and their distances to all rows in ``order``."""
    columns = rows[order]
    squares = (columns**2).sum(axis=1)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = np.arange(start, min(start + ROWS_AT_ONCE, len(rows)))
        now = rows[block]
        squared = (now**2).sum(axis=1)[:, np.newaxis] + squares - 2 * now @ columns.T
        yield block, np.sqrt(np.clip(squared, 0, None))


def _silhouettes(sums: Matrix, own: npt.NDArray[np.integer], counts: Integers) -> Matrix:
    """Return (b - a) / max(a, b): a is the mean distance to the row's own label, b to the nearest other."""
    if len(counts) < 2:
        return np.zeros(len(sums))
    here = np.arange(len(sums))
    others = counts[own] - 1
    within = sums[here, own] / np.maximum(others, 1)
    means = sums / counts
    means[here, own] = np.inf
    beyond = means.min(axis=1)
    larger = np.maximum(within, beyond)
    return np.where((others > 0) & (larger > 0), (beyond - within) / np.where(larger > 0, larger, 1), 0.0)


def _mean_by(values: Matrix, labels: npt.NDArray[np.integer]) -> Matrix:
    means: Matrix = np.bincount(labels, weights=values) / np.bincount(labels)
    return means


def _closest(distances: Matrix) -> Integers:
    if len(distances) < 2:
        return np.full(1, -1)
    np.fill_diagonal(distances, np.inf)
    closest: Integers = distances.argmin(axis=1)
    return closest


def _lowest(values: Matrix, labels: npt.NDArray[np.integer], label: int) -> int:
    places = np.flatnonzero(labels == label)
    return int(places[values[places].argmin()])
