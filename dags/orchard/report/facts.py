"""The data of a report; the page only lays it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchard.report.numbers.neighbours import Matrix, Separation

COMPONENTS = 20
"""Maximum number of components to show: the first ones."""

ENDS = 6
"""Images at each end of a component."""

FEW_LABELS = 2 * ENDS
"""With no more labels than this, one image per label would show the same labels at both ends."""

STEADY = 15.0
"""Degrees: a component that has rotated less still has much the same meaning; its cosine is 0.97."""


@dataclass(frozen=True)
class Picture:
    """One image: its path below the images URI, its label, and its WebP thumbnail, if any."""

    path: str
    label: str
    thumbnail: bytes | None


@dataclass(frozen=True, eq=False)
class Sample:
    """The sampled images.

    Args:
        pictures: n images, in row order.
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
    """The images at both ends of one component, most extreme first."""

    low: tuple[Picture, ...]
    high: tuple[Picture, ...]


@dataclass(frozen=True, eq=False)
class Basis:
    """A fitted basis, from ``basis.npz``.

    Args:
        components: (k, d), orthonormal rows.
        ratio: (k,), the explained variance ratio of each.
        spectrum: (d,), the same for all d directions; None if the basis was stored without it.
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
    """What has changed since the previous run.

    Args:
        run: Its slug.
        new: Number of images that were not known before.
        changed: Number of known images with changed content, or that an earlier run could not read.
        deleted: Number of deleted images.
        variance_kept: The previous run's.
        components: K of the previous run.
        angles: (k,), principal angles between the two bases, in degrees, ascending; None if the previous
            basis is missing.
        turned: (k,), the rotation of each component, in degrees; None likewise.
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
        """Number of leading components that have rotated by less than STEADY."""
        if self.turned is None:
            return 0
        moved = np.flatnonzero(self.turned >= STEADY)
        return int(moved[0]) if len(moved) else len(self.turned)


@dataclass(frozen=True, eq=False)
class Facts:
    """A published run.

    Args:
        run: The content of run.json.
        label_counts: Images per label, in all rows of the result.
        sample: A sample of these rows.
        separation: How well labels separate in the sample.
        extremes: The extreme images of the first components.
        basis: The run's basis.
        changes: Changes since the previous run; None if there is none.
        rejected: The run's first rejected images by path; run.json has their number.
    """

    run: Mapping[str, Any]
    label_counts: Mapping[str, int]
    sample: Sample
    separation: Separation
    extremes: tuple[Extremes, ...]
    basis: Basis
    changes: Changes | None
    rejected: tuple[Rejected, ...]
