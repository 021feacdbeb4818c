"""Converts a column of equally long lists to a matrix and back, without a Python loop."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchard_jobs.errors import OrchardError


def to_matrix(lists: pa.ListArray) -> npt.NDArray[np.float32]:
    """View a column of n lists of d numbers as a matrix (n, d).

    Raises:
        OrchardError: if the lists have different lengths.
    """
    lengths = pc.min_max(pc.fill_null(pc.list_value_length(lists), -1))
    if lengths["min"] != lengths["max"]:
        raise OrchardError(
            f"rows of {max(lengths['min'].as_py(), 0)} numbers beside rows of {lengths['max']}",
            rule="all rows of one model, or of one basis, must have the same length",
            remedy="run the job that wrote them again",
        )
    matrix: npt.NDArray[np.float32] = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)
    return matrix


def to_lists(matrix: npt.NDArray[np.floating]) -> pa.ListArray:
    """Return a matrix (n, d) as a column of n lists of d numbers of its type."""
    offsets = np.arange(len(matrix) + 1, dtype=np.int32) * matrix.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(matrix.ravel()))
