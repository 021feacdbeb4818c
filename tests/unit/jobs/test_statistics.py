"""Statistics of rows are integers: no order, grouping or history of the rows shows in them."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from orchard_jobs.errors import OrchardError
from orchard_jobs.pca import statistics
from orchard_jobs.pca.basis import fit_basis
from orchard_jobs.pca.statistics import Statistics
from tests.support.jobs.nights import older_format

FEATURES = 4
values = st.floats(-255, 255, width=32, allow_subnormal=False)
rows = st.lists(values, min_size=FEATURES, max_size=FEATURES).map(lambda row: np.array(row, np.float32))
paths = st.integers(0, 9)
runs = st.lists(st.dictionaries(paths, st.none() | rows, max_size=6), min_size=1, max_size=6)
"""What each run does: a row that is new or changed, or None for one that is deleted."""


def measure(*found: np.ndarray) -> Statistics:
    return Statistics.of(np.array(found, np.float32).reshape(len(found), FEATURES))


def exactly(found: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the sums and the upper triangle of products, in Python's whole numbers."""
    whole = [[int(value) for value in np.rint(row.astype(np.float64) * 2**24)] for row in found]
    d = found.shape[1]
    sums = [sum(row[i] for row in whole) for i in range(d)]
    return sums, [sum(row[i] * row[j] for row in whole) for i in range(d) for j in range(i, d)]


def as_integers(found: Statistics) -> tuple[list[int], list[int]]:
    high, low = found.high.tolist(), found.low.tolist()
    return found.total.tolist(), [int(h) * 2**32 + int(w) for h, w in zip(high, low, strict=True)]


@given(st.lists(rows, max_size=20))
def test_sums_are_those_of_whole_numbers_of_any_length(found: list[np.ndarray]) -> None:
    matrix = np.array(found, np.float32).reshape(len(found), FEATURES)
    assert as_integers(Statistics.of(matrix)) == exactly(matrix)


def test_sums_are_exact_at_the_edge_of_the_range_over_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "ROWS_EXACT_IN_FLOAT64", 2500)
    edge = np.nextafter(256, 0)
    matrix = np.random.default_rng(1).choice([edge, -edge, 1.5, -(2.0**-24), 0], size=(6000, 3))
    matrix[:3000, 0] = edge
    assert as_integers(Statistics.of(matrix)) == exactly(matrix)


def test_as_many_rows_as_are_added_in_float64_add_up_exactly() -> None:
    """Every product is about as large as it can be, both halves of each value are, and no two are alike."""
    count = statistics.ROWS_EXACT_IN_FLOAT64
    whole = 2**32 - 2**15 - np.random.default_rng(2).integers(1, 2**10, count)
    expected = [sum(whole.tolist())], [sum(q * q for q in whole.tolist())]
    assert as_integers(Statistics.of((whole / 2**24)[:, np.newaxis])) == expected


def test_sums_of_two_thousand_million_rows_still_fit() -> None:
    q = 2**32  # what a feature just below 256 is rounded to
    found = Statistics.of(np.full((2**10, 1), -np.nextafter(256, 0)))
    for _ in range(20):
        found = found + found
    count = 2**30
    assert (found.count, as_integers(found)) == (count, ([-q * count], [q * q * count]))


@settings(max_examples=200, deadline=None)
@given(runs, st.randoms(use_true_random=False))
def test_any_history_of_runs_leaves_the_statistics_and_the_basis_of_one_run_on_what_is_left(
    history: list[dict[int, np.ndarray | None]], shuffle: random.Random
) -> None:
    counting: dict[int, np.ndarray] = {}
    total = Statistics.zero(FEATURES)
    for changes in history:
        leaving = [counting.pop(path) for path in changes if path in counting]
        new = {path: row for path, row in changes.items() if row is not None}
        counting.update(new)
        parts = [(1, row) for row in new.values()] + [(-1, row) for row in leaving]
        shuffle.shuffle(parts)
        for sign, row in parts:
            total = total + measure(row) if sign > 0 else total - measure(row)
    left = list(counting.values())
    shuffle.shuffle(left)
    once = measure(*left)
    assert total.to_bytes() == once.to_bytes()
    if left:
        assert fit_basis(total, components=FEATURES).id == fit_basis(once, components=FEATURES).id


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=5), st.randoms(use_true_random=False))
def test_any_order_and_grouping_of_rows_gives_the_same_bytes_and_the_basis_of_scikit_learn(
    cuts: list[int], shuffle: random.Random
) -> None:
    generator = np.random.default_rng(3)
    matrix = np.abs(generator.normal(size=(3000, 6)) @ generator.normal(size=(6, 6))).astype(np.float32)
    shuffled = matrix[np.random.default_rng(shuffle.randrange(1000)).permutation(len(matrix))]
    parts = [Statistics.of(part) for part in np.split(shuffled, sorted(cuts))]
    shuffle.shuffle(parts)
    grouped = sum(parts, Statistics.zero(6))
    assert grouped.to_bytes() == Statistics.of(matrix).to_bytes()
    expected = PCA(3).fit(matrix.astype(np.float64))
    found = fit_basis(grouped, components=3)
    np.testing.assert_allclose(np.abs(found.components), np.abs(expected.components_), atol=1e-6)


def test_what_was_added_can_be_taken_out_in_another_grouping() -> None:
    matrix = np.random.default_rng(5).normal(size=(60, 7)).astype(np.float32)
    left = Statistics.of(matrix) - Statistics.of(matrix[20:33]) - Statistics.of(matrix[:20])
    assert left.to_bytes() == Statistics.of(matrix[33:]).to_bytes()
    nothing = left - Statistics.of(matrix[33:])
    assert nothing.to_bytes() == Statistics.zero(7).to_bytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_one_clear_error(value: float) -> None:
    with pytest.raises(
        OrchardError, match=r"features that are not finite numbers: PCA needs finite features\."
    ):
        measure(np.array([1, value, 2, 3]))


@pytest.mark.parametrize("value", [256, -256, 1e30])
def test_features_beyond_the_range_are_one_clear_error(value: float) -> None:
    with pytest.raises(OrchardError, match=r"a feature of magnitude .*: features must be below 256"):
        measure(np.array([1, value, 2, 3]))


def test_statistics_of_another_number_of_features_do_not_add_up() -> None:
    with pytest.raises(OrchardError, match="statistics of 4 and of 5 features"):
        _ = Statistics.zero(4) + Statistics.zero(5)


def test_statistics_come_back_from_storage_unchanged_and_are_smaller_than_a_matrix_of_floats() -> None:
    found = Statistics.of(np.random.default_rng(0).normal(size=(50, 400)).astype(np.float32))
    data = found.to_bytes()
    assert Statistics.from_bytes(data).to_bytes() == data
    assert len(data) < 0.8 * 8 * 400**2


def test_a_stored_file_that_is_damaged_or_of_another_format_is_a_value_error() -> None:
    data = Statistics.of(np.ones((3, 4))).to_bytes()
    flipped = bytearray(data)
    flipped[data.index(b"\x93NUMPY", 400) + 140] ^= 1
    damaged = (b"", b"PK", b"not statistics", data[:-1], data[: len(data) // 2], bytes(flipped))
    for broken in (*damaged, older_format()):
        with pytest.raises(ValueError, match="invalid statistics file"):
            Statistics.from_bytes(broken)
