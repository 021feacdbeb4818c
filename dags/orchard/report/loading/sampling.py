"""Choose the rows that a report shows if there are too many. Pure.

Rows are chosen by the hash of their path, so that reports of later runs show the same images, regardless of
order and names. featurize makes thumbnails for the lowest hashes.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from orchard_jobs.contract import hash_path

Counts = npt.NDArray[np.int64]


def hash_paths(paths: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return 64 bits for each path."""
    return np.fromiter(map(hash_path, paths), np.uint64, len(paths))


def share_out(counts: Counts, limit: int) -> Counts:
    """Return how many rows of each label to show, ``limit`` in total.

    Half of them are distributed evenly, so that small labels are visible; the other half by size.
    """
    if counts.sum() <= limit:
        return counts
    even = np.minimum(counts, limit // (2 * len(counts)))
    left = counts - even
    exact = left * ((limit - even.sum()) / left.sum())
    shares = np.floor(exact).astype(np.int64)
    # The remainder goes to the labels that lost most by rounding; ties go to the larger label.
    over = limit - int(even.sum() + shares.sum())
    shares[np.lexsort((-counts, shares - exact))[:over]] += 1
    total: Counts = even + shares
    return total


def choose_rows(labels: npt.NDArray[np.int32], hashes: npt.NDArray[np.uint64], limit: int) -> Counts:
    """Return the indices of at most ``limit`` rows, ascending: those with the lowest hashes of each label.

    Args:
        labels: Each row's label, as a number from 0.
        hashes: The hash of each row's path.
    """
    if not len(labels):
        return np.empty(0, np.int64)
    counts = np.bincount(labels)
    order = np.lexsort((hashes, labels))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[rank < np.repeat(share_out(counts, limit), counts)])
