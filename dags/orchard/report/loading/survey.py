"""One look at all components of a run: images of each label, a sample, the ends of each component.

Of a million rows only labels and hashes are kept, 12 bytes a row; their components are read twice.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchard.lake.objects import Storage
from orchard.report.facts import COMPONENTS
from orchard.report.loading.rows import read_folder, to_matrix
from orchard.report.loading.sampling import choose_rows, hash_paths
from orchard.report.numbers.neighbours import Matrix

SHOWN = 5000
"""Most images in a sample: all of them are compared with all, and every one is a point on the page."""

CANDIDATES = 1024
"""Rows that are remembered at each end of a component, so that several labels are among them."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some rows of the components.

    Args:
        paths: Of n rows.
        labels: Of the same rows.
        components: (n, k)
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    components: Matrix


@dataclass(frozen=True, eq=False)
class Survey:
    """What was found.

    Args:
        label_counts: Images of each label, sorted by label.
        sample: At most SHOWN rows.
        lows: For each of the first components, paths and labels of its lowest rows, the lowest first.
        highs: Likewise, the highest first.
    """

    label_counts: dict[str, int]
    sample: Chosen
    lows: tuple[tuple[tuple[str, str], ...], ...]
    highs: tuple[tuple[tuple[str, str], ...], ...]


def survey(storage: Storage, uri: str, ends: int, limit: int = SHOWN) -> Survey:
    """Look at the component folder ``uri``, with ``ends`` images at each end of a component.

    Raises:
        OrchardError: where there is none.
    """
    names, labels, hashes = _count(storage, uri)
    counts = np.bincount(labels, minlength=len(names))
    wanted = choose_rows(labels, hashes, limit)
    lowest, highest = _Ends(), _Ends()
    paths: list[str] = []
    found: list[Matrix] = []
    start = 0
    for batch in read_folder(storage, uri, ["path", "components"]):
        values = to_matrix(batch["components"])
        here = wanted[(wanted >= start) & (wanted < start + len(batch))] - start
        paths += batch["path"].take(here).to_pylist()
        found.append(values[here])
        lowest.add(-values[:, :COMPONENTS], start, batch["path"])
        highest.add(values[:, :COMPONENTS], start, batch["path"])
        start += len(batch)
    sample = Chosen(tuple(paths), tuple(names[label] for label in labels[wanted]), np.concatenate(found))
    by_label = sorted(zip(names, counts.tolist(), strict=True))
    return Survey(dict(by_label), sample, lowest.pick(labels, names, ends), highest.pick(labels, names, ends))


def _count(storage: Storage, uri: str) -> tuple[list[str], npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
    """Return the labels and, of each row, the number of its label and the hash of its path."""
    numbers: dict[str, int] = {}
    labels, hashes = [np.empty(0, np.int32)], [np.empty(0, np.uint64)]
    for batch in read_folder(storage, uri, ["path", "label"]):
        encoded = batch["label"].dictionary_encode()
        known = [numbers.setdefault(label, len(numbers)) for label in encoded.dictionary.to_pylist()]
        labels.append(np.array(known, np.int32)[encoded.indices.to_numpy()])
        hashes.append(hash_paths(batch["path"].to_pylist()))
    return list(numbers), np.concatenate(labels), np.concatenate(hashes)


class _Ends:
    """The CANDIDATES rows with the highest value of each component, as batches come."""

    def __init__(self) -> None:
        self._values = np.empty((0, 0))
        self._rows = np.empty((0, 0), np.int64)
        self._paths: dict[int, str] = {}

    def add(self, values: Matrix, start: int, paths: pa.StringArray) -> None:
        """Look at ``values`` (rows, components) of the rows from ``start`` on, whose paths are ``paths``."""
        rows = np.broadcast_to(np.arange(start, start + len(values))[:, np.newaxis], values.shape)
        if len(self._rows):
            values, rows = np.concatenate([self._values, values]), np.concatenate([self._rows, rows])
        best = np.argsort(-values, axis=0, kind="stable")[:CANDIDATES]
        self._values = np.take_along_axis(values, best, axis=0)
        self._rows = np.take_along_axis(rows, best, axis=0)
        kept = set(np.unique(self._rows).tolist())
        self._paths = {row: path for row, path in self._paths.items() if row in kept}
        for row in kept - set(self._paths):
            self._paths[row] = paths[row - start].as_py()

    def pick(
        self, labels: npt.NDArray[np.int32], names: list[str], ends: int
    ) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Return ``ends`` images of each component: of different labels first, they say more."""
        return tuple(
            tuple((self._paths[row], names[labels[row]]) for row in _of_different(column, labels, ends))
            for column in self._rows.T.tolist()
        )


def _of_different(rows: list[int], labels: npt.NDArray[np.int32], ends: int) -> list[int]:
    """Return ``ends`` of the rows in their order: the first of each label, then others."""
    first: dict[int, int] = {}
    for row in rows:
        first.setdefault(int(labels[row]), row)
    chosen = list(first.values())[:ends]
    chosen += [row for row in rows if row not in chosen][: ends - len(chosen)]
    return sorted(chosen, key=rows.index)
