"""Additive statistics of a set of feature rows: everything that an exact PCA needs.

Count, sum and Gram matrix of the union of two disjoint sets are the sums of theirs. Here these sums are
integers: every feature is rounded once to a multiple of 2^-24, and nothing is rounded after that. So the
result does not depend on order, grouping or partitions, and subtracting rows gives, bit for bit, the
statistics without them. Only the fit in ``basis.py`` uses floating point.

Resolution: 2^-24, an ulp of float32 between 0.5 and 1; features of 0.5 and more are exact, smaller ones
change by at most 3e-8. Range: below 256 (averages of MobileNetV2's ReLU6 are at most 6). Exact up to 2^31
rows. 10 MB for 1280 features.
"""

import io
import zipfile
from dataclasses import dataclass
from functools import reduce as fold

import numpy as np
import numpy.typing as npt

from orchard_jobs.errors import OrchardError

Matrix = npt.NDArray[np.float64]
Matrix32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

FRACTION_BITS = 24
RANGE = 256.0  # so q = feature * 2^24 has |q| <= 2^32: the sum of 2^31 of them fits into int64
HALF_BITS = 16  # q = hi * 2^16 + lo, with |hi| <= 2^16 and |lo| <= 2^15
WORD_BITS = 32  # a Gram entry = high * 2^32 + low: |entry| <= 2^64 a row, so |high| <= 2^32 a row
# (hi + lo)^2 <= 2.25 * 2^32, and float64 adds integers exactly up to 2^53: 900,000 rows would do.
ROWS_EXACT_IN_FLOAT64 = 2**19
ROWS_PER_PRODUCT = 1024  # large compared with the columns of a product, small compared with memory
ROWS_PER_CONVERSION = 32  # fits in a core's cache, so that rounding costs almost nothing


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of ``count`` rows of d features, as integers.

    Args:
        count: Number of rows.
        total: (d,) int64, sum of the rows in units of 2^-24.
        high: (d * (d + 1) / 2,) int64, upper triangle of XᵀX by rows, in units of 2^-48: the part above
            the lowest 32 bits.
        low: The lowest 32 bits, uint32. Every set of rows has exactly one representation.
    """

    count: int
    total: Integers
    high: Integers
    low: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, rows: npt.NDArray[np.floating]) -> "Statistics":
        """Measure a matrix (n, d).

        Raises:
            OrchardError: for features that are not finite, or whose magnitude is 256 or more.
        """
        _validate_rows(rows)
        blocks = range(0, len(rows), ROWS_EXACT_IN_FLOAT64)
        parts = [_measure(rows[start : start + ROWS_EXACT_IN_FLOAT64]) for start in blocks]
        return fold(cls.__add__, parts, cls.zero(rows.shape[1]))

    @classmethod
    def zero(cls, features: int) -> "Statistics":
        entries = features * (features + 1) // 2
        return cls(0, np.zeros(features, np.int64), np.zeros(entries, np.int64), np.zeros(entries, np.uint32))

    @property
    def features(self) -> int:
        return len(self.total)

    def __add__(self, other: "Statistics") -> "Statistics":
        """Add the rows of ``other``.

        Raises:
            OrchardError: if its rows have another length.
        """
        return self._combine(other, np.add)

    def __sub__(self, other: "Statistics") -> "Statistics":
        """Subtract the rows of ``other``, which must have been added before.

        Raises:
            OrchardError: if its rows have another length.
        """
        return self._combine(other, np.subtract)

    def sum(self) -> Matrix:
        """Return the sum of the rows (d,), rounded to float64."""
        return np.ldexp(self.total.astype(np.float64), -FRACTION_BITS)

    def gram(self) -> Matrix:
        """Return XᵀX (d, d), rounded to float64."""
        entries = np.ldexp(self.high.astype(np.float64), WORD_BITS) + self.low
        matrix = np.zeros((self.features, self.features))
        matrix[np.triu_indices(self.features)] = np.ldexp(entries, -2 * FRACTION_BITS)
        return matrix + np.triu(matrix, 1).T

    def to_bytes(self) -> bytes:
        """Return an ``.npz`` file, always with the same bytes for the same rows."""
        buffer = io.BytesIO()
        np.savez(buffer, count=self.count, total=self.total, high=self.high, low=self.low)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Statistics":
        """Read what ``to_bytes`` returned.

        Raises:
            ValueError: for anything else: truncated, damaged, or of an older format.
        """
        try:
            arrays = np.load(io.BytesIO(data), allow_pickle=False)
            return cls(int(arrays["count"]), arrays["total"], arrays["high"], arrays["low"])
        except (ValueError, KeyError, IndexError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"invalid statistics file: {error}") from error

    def _combine(self, other: "Statistics", operation: np.ufunc) -> "Statistics":
        if self.features != other.features:
            raise OrchardError(
                f"statistics of {self.features} and of {other.features} features",
                rule="only statistics of the same model can be combined",
                remedy="start over with the new model, without --statistics and --earlier",
            )
        high, low = operation(self.high, other.high), operation(self.low, other.low, dtype=np.int64)
        total = operation(self.total, other.total)
        return Statistics(int(operation(self.count, other.count)), total, *_carry(high, low))


def _validate_rows(rows: npt.NDArray[np.floating]) -> None:
    largest = max(float(rows.max(initial=0)), -float(rows.min(initial=0)))
    if not np.isfinite(largest):
        raise OrchardError(
            "features that are not finite numbers",
            rule="PCA needs finite features",
            remedy="export the model again",
        )
    if largest >= RANGE:
        raise OrchardError(
            f"a feature of magnitude {largest:g}",
            rule=f"features must be below {RANGE:g}, the range of the fixed-point statistics",
            remedy="scale the model's output down",
        )


def _measure(rows: npt.NDArray[np.floating]) -> Statistics:
    """Measure up to ROWS_EXACT_IN_FLOAT64 rows.

    With q = hi * 2^16 + lo, qᵀq = hiᵀhi * 2^32 + (hiᵀlo + loᵀhi) * 2^16 + loᵀlo, and the middle term is
    (hi + lo)ᵀ(hi + lo) minus the other two. Multiplying a matrix by its own transpose costs BLAS half a
    product. All entries are integers below 2^53, so float64 adds them exactly in any order.
    """
    features = rows.shape[1]
    total = np.zeros(features, np.int64)
    high_square, low_square, both_square = (np.zeros((features, features)) for _ in range(3))
    for start in range(0, len(rows), ROWS_PER_PRODUCT):
        high, low = _split(rows[start : start + ROWS_PER_PRODUCT])
        total += (high.sum(axis=0).astype(np.int64) << HALF_BITS) + low.sum(axis=0).astype(np.int64)
        high_square += high.T @ high
        low_square += low.T @ low
        high += low
        both_square += high.T @ high
    upper = np.triu_indices(features)
    highest, lowest, both = (m[upper].astype(np.int64) for m in (high_square, low_square, both_square))
    return Statistics(len(rows), total, *_join(highest, both - highest - lowest, lowest))


def _split(rows: npt.NDArray[np.floating]) -> tuple[Matrix, Matrix]:
    """Return hi and lo (n, d), as integers in float64."""
    high, low = np.empty(rows.shape), np.empty(rows.shape)
    for start in range(0, len(rows), ROWS_PER_CONVERSION):
        now = slice(start, start + ROWS_PER_CONVERSION)
        whole = np.rint(np.multiply(rows[now], 2.0**FRACTION_BITS, dtype=np.float64))
        high[now] = np.rint(whole * 2.0**-HALF_BITS)
        low[now] = whole - high[now] * 2.0**HALF_BITS
    return high, low


def _join(high: Integers, middle: Integers, low: Integers) -> tuple[Integers, npt.NDArray[np.uint32]]:
    """Return high * 2^32 + middle * 2^16 + low as (high, low) in the unique representation."""
    middle_high, middle_low = middle >> HALF_BITS, middle & (2**HALF_BITS - 1)
    return _carry(high + middle_high, low + (middle_low << HALF_BITS))


def _carry(high: Integers, low: Integers) -> tuple[Integers, npt.NDArray[np.uint32]]:
    """Carry the part of ``low`` beyond 32 bits, or below zero, into ``high``."""
    return high + (low >> WORD_BITS), (low & (2**WORD_BITS - 1)).astype(np.uint32)
