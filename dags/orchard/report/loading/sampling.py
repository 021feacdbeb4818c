"""Which rows a report shows where it cannot show all. Pure.

A row is chosen by the hash of its path, so that a report made again, or of the next run, shows the same
images again, and neither order nor names of the rows matter. Those with the lowest hashes have thumbnails.
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
    """Return how many rows of each label to show, ``limit`` in all.

    Half of the places are shared out evenly, so that small labels are seen; the others by size.
    """
    if counts.sum() <= limit:
        return counts
    even = np.minimum(counts, limit // (2 * len(counts)))
    left = counts - even
    exact = left * ((limit - even.sum()) / left.sum())
    shares = np.floor(exact).astype(np.int64)
    # What rounding left over goes to those that it cost most; the larger one where that is a tie.
    over = limit - int(even.sum() + shares.sum())
    shares[np.lexsort((-counts, shares - exact))[:over]] += 1
    total: Counts = even + shares
    return total


def choose_rows(labels: npt.NDArray[np.int32], hashes: npt.NDArray[np.uint64], limit: int) -> Counts:
    """Return the places of at most ``limit`` rows, rising: of each label those with the lowest hashes.

    Args:
        labels: Of each row, as a number from 0.
        hashes: Of each row's path.
    """
    if not len(labels):
        return np.empty(0, np.int64)
    counts = np.bincount(labels)
    order = np.lexsort((hashes, labels))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[rank < np.repeat(share_out(counts, limit), counts)])
