"""Survey a run's components: images per label, a sample, and the images at both ends of each component.

Only labels and hashes of all rows are kept in memory, 12 bytes per row, and the components of the sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchard.lake.objects import Storage
from orchard.report.facts import COMPONENTS, FEW_LABELS
from orchard.report.loading.rows import read_folder, to_matrix
from orchard.report.loading.sampling import choose_rows, hash_paths
from orchard.report.numbers.neighbours import Matrix

SHOWN = 5000
"""Maximum images in a sample: all pairs are compared, and each is a point on the page."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """A sample of n rows of the components.

    Args:
        paths: n paths.
        labels: n labels.
        components: (n, k)
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    components: Matrix


@dataclass(frozen=True, eq=False)
class Survey:
    """The result of a survey.

    Args:
        label_counts: Images per label, sorted by label.
        sample: At most SHOWN rows.
        lows: For each of the first components, paths and labels of the sample's lowest rows, lowest first.
        highs: Likewise, highest first.
    """

    label_counts: dict[str, int]
    sample: Chosen
    lows: tuple[tuple[tuple[str, str], ...], ...]
    highs: tuple[tuple[tuple[str, str], ...], ...]


def survey(storage: Storage, uri: str, k: int, ends: int, limit: int = SHOWN) -> Survey:
    """Survey the folder ``uri`` of ``k`` components, with ``ends`` images at each end of a component.

    Raises:
        OrchardError: if it is empty, or its rows do not have ``k`` components.
    """
    names, labels, hashes = _count(storage, uri)
    counts = np.bincount(labels, minlength=len(names))
    wanted = choose_rows(labels, hashes, limit)
    paths: list[str] = []
    found: list[Matrix] = []
    start = 0
    for batch in read_folder(storage, uri, ["path", "components"]):
        here = wanted[(wanted >= start) & (wanted < start + len(batch))] - start
        paths += batch["path"].take(here).to_pylist()
        found.append(to_matrix(batch["components"], k)[here])
        start += len(batch)
    sample = Chosen(tuple(paths), tuple(names[label] for label in labels[wanted]), np.concatenate(found))
    by_label = sorted(zip(names, counts.tolist(), strict=True))
    values = sample.components[:, :COMPONENTS]
    return Survey(
        dict(by_label), sample, _pick_lowest(values, sample, ends), _pick_lowest(-values, sample, ends)
    )


def _count(storage: Storage, uri: str) -> tuple[list[str], npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
    """Return the labels, each row's label number, and the hash of each row's path."""
    numbers: dict[str, int] = {}
    labels, hashes = [np.empty(0, np.int32)], [np.empty(0, np.uint64)]
    for batch in read_folder(storage, uri, ["path", "label"]):
        encoded = batch["label"].dictionary_encode()
        known = [numbers.setdefault(label, len(numbers)) for label in encoded.dictionary.to_pylist()]
        labels.append(np.array(known, np.int32)[encoded.indices.to_numpy()])
        hashes.append(hash_paths(batch["path"].to_pylist()))
    return list(numbers), np.concatenate(labels), np.concatenate(hashes)


def _pick_lowest(values: Matrix, sample: Chosen, ends: int) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return ``ends`` images per column, lowest first; with many labels, one image per label.

    With few labels, one per label would show the same labels at both ends.
    """
    orders = np.argsort(values, axis=0, kind="stable").T.tolist()
    if len(set(sample.labels)) > FEW_LABELS:
        orders = [_first_of_each_label(order, sample.labels) for order in orders]
    return tuple(tuple((sample.paths[row], sample.labels[row]) for row in order[:ends]) for order in orders)


def _first_of_each_label(rows: list[int], labels: Sequence[str]) -> list[int]:
    """Return the first row of each label."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(labels[row], row)
    return list(first.values())
