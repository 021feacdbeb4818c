"""The additive statistics of a set of feature rows: all that an exact PCA needs to know of them.

Count, sum and Gram matrix of the union of two disjoint sets are the sums of theirs. So every run keeps
13 MB: those of the rows it added, less those of the rows it replaced. Fitting on all history adds them up.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Of ``count`` rows of d features: their ``total`` (d,) and ``gram`` = XᵀX (d, d), in float64."""

    count: int
    total: Matrix
    gram: Matrix

    @classmethod
    def of(cls, rows: npt.NDArray[np.floating]) -> "Statistics":
        """Of a matrix (n, d). The products are float64: float32 sums would lose the sixth digit."""
        exact = rows.astype(np.float64)
        return cls(len(exact), exact.sum(axis=0), exact.T @ exact)

    @classmethod
    def zero(cls, features: int) -> "Statistics":
        return cls(0, np.zeros(features), np.zeros((features, features)))

    @property
    def features(self) -> int:
        return len(self.total)

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics(self.count + other.count, self.total + other.total, self.gram + other.gram)

    def __sub__(self, other: "Statistics") -> "Statistics":
        """Take rows out that were counted in before."""
        return Statistics(self.count - other.count, self.total - other.total, self.gram - other.gram)

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, count=self.count, total=self.total, gram=self.gram)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Statistics":
        arrays = np.load(io.BytesIO(data), allow_pickle=False)
        return cls(int(arrays["count"]), arrays["total"], arrays["gram"])
