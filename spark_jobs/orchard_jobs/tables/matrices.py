"""A column of equally long lists as a matrix, and back, without a Python loop."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def to_matrix(lists: pa.ListArray) -> npt.NDArray[np.float32]:
    """View a column of n lists of d numbers as a matrix (n, d)."""
    matrix: npt.NDArray[np.float32] = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)
    return matrix


def to_lists(matrix: npt.NDArray[np.floating]) -> pa.ListArray:
    """Return a matrix (n, d) as a column of n lists of d numbers of its type."""
    offsets = np.arange(len(matrix) + 1, dtype=np.int32) * matrix.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(matrix.ravel()))
