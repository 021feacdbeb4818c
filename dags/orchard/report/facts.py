"""All that a report shows, read and computed; the page only lays it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchard.report.numbers.neighbours import Matrix, Separation

COMPONENTS = 20
"""Most components that are shown: the first ones."""

ENDS = 6
"""Images at each end of a component."""

FEW_LABELS = 2 * ENDS
"""Of no more labels, the two ends of a component would show the same ones, were each of another label."""

STEADY = 15.0
"""Degrees: what has turned less still means much the same; its cosine is 0.97."""


@dataclass(frozen=True)
class Picture:
    """One image: its path below the images URI, its label, and a WebP where there is one."""

    path: str
    label: str
    thumbnail: bytes | None


@dataclass(frozen=True, eq=False)
class Sample:
    """The images that the report looks at closely.

    Args:
        pictures: n of them, by the order of their rows.
        labels: (n,) numbers into ``names``.
        names: The labels in the sample, sorted.
        components: (n, k)
    """

    pictures: tuple[Picture, ...]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    components: Matrix


@dataclass(frozen=True)
class Extremes:
    """The images at the two ends of one component, the outermost first."""

    low: tuple[Picture, ...]
    high: tuple[Picture, ...]


@dataclass(frozen=True, eq=False)
class Basis:
    """A fitted basis, as ``basis.npz`` has it.

    Args:
        components: (k, d), orthonormal rows.
        ratio: (k,), the share of the variance that each explains.
        spectrum: (d,), the same of all d directions; None where the basis was stored without.
    """

    components: Matrix
    ratio: Matrix
    spectrum: Matrix | None


@dataclass(frozen=True)
class Rejected:
    """An image that could not be used, and why."""

    path: str
    status: str
    error: str


@dataclass(frozen=True, eq=False)
class Changes:
    """What is different from the run before.

    Args:
        run: Its slug.
        new: Number of images that were not known before.
        changed: Number of images that were known, with other content or without a result.
        deleted: Number of images that have gone.
        variance_kept: Of the run before.
        components: K of the run before.
        angles: (k,), principal angles between the two bases, in degrees, rising; None where the basis of
            before is not there.
        turned: (k,), by how much each component has turned, in degrees; None likewise.
    """

    run: str
    new: int | None
    changed: int | None
    deleted: int
    variance_kept: float
    components: int
    angles: Matrix | None
    turned: Matrix | None

    @property
    def steady(self) -> int:
        """How many components, the first in a row, have turned by less than STEADY."""
        if self.turned is None:
            return 0
        moved = np.flatnonzero(self.turned >= STEADY)
        return int(moved[0]) if len(moved) else len(self.turned)


@dataclass(frozen=True, eq=False)
class Facts:
    """A published run.

    Args:
        run: The content of run.json.
        label_counts: Images of each label, of all rows of the result.
        sample: Of these rows.
        separation: Of the sample.
        extremes: Of the first components, of all rows.
        basis: The run's.
        changes: Since the run before; None where there was none.
        rejected: Images that were rejected now, the first by path; run.json has how many there are.
    """

    run: Mapping[str, Any]
    label_counts: Mapping[str, int]
    sample: Sample
    separation: Separation
    extremes: tuple[Extremes, ...]
    basis: Basis
    changes: Changes | None
    rejected: tuple[Rejected, ...]
