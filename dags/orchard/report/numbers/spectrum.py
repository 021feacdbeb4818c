"""Explained variance, and the rotation of a basis since the previous one. Pure."""

import numpy as np

from orchard.report.numbers.neighbours import Matrix


def components_for(ratio: Matrix, share: float) -> int | None:
    """Return the fewest components that explain ``share`` of the variance; None if all do not.

    Args:
        ratio: Explained variance ratios, descending.
        share: From 0 to 1, with a tolerance for rounding.
    """
    reached = np.flatnonzero(np.cumsum(ratio) >= share - 1e-12)
    return int(reached[0]) + 1 if len(reached) else None


def principal_angles(one: Matrix, other: Matrix) -> Matrix:
    """Return the principal angles between two subspaces, in degrees, ascending: min(k1, k2) of them.

    Small angles are computed from sines: below 1e-8 the cosine is 1.

    Args:
        one: (k1, d), orthonormal rows.
        other: (k2, d), likewise.
    """
    if len(one) > len(other):
        one, other = other, one
    cosines = np.clip(np.linalg.svd(one @ other.T, compute_uv=False), 0, 1)
    sines = np.clip(np.linalg.svd(one - one @ other.T @ other, compute_uv=False)[::-1], 0, 1)
    angles: Matrix = np.degrees(np.where(cosines**2 > 0.5, np.arcsin(sines), np.arccos(cosines)))
    return angles


def turned(now: Matrix, before: Matrix) -> Matrix:
    """Return the angle between components of the same number, in degrees from 0 to 90."""
    common = min(len(now), len(before))
    cosines = np.abs(np.einsum("ij,ij->i", now[:common], before[:common]))
    angles: Matrix = np.degrees(np.arccos(np.clip(cosines, 0, 1)))
    return angles
