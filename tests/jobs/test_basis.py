"""The PCA is scikit-learn's, from statistics that add up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from orchard_jobs.basis import Basis, fit_basis, read_basis, write_basis
from orchard_jobs.errors import OrchardError
from orchard_jobs.statistics import Statistics

SEED = 7


def rows_of(count: int, features: int = 12) -> np.ndarray:
    """Correlated float32 rows away from zero, as average-pooled activations are."""
    generator = np.random.default_rng(SEED)
    mixing = generator.normal(size=(features, features))
    return (np.abs(generator.normal(size=(count, features)) @ mixing) + 3).astype(np.float32)


def assert_same_up_to_sign(actual: np.ndarray, expected: np.ndarray) -> None:
    """Compare columns, either of which may point the other way."""
    signs = np.sign((actual * expected).sum(axis=0))
    np.testing.assert_allclose(actual * np.where(signs == 0, 1, signs), expected, atol=1e-6)


@pytest.mark.parametrize("count", [13, 40, 500])
def test_components_and_variances_are_those_of_scikit_learn(count: int) -> None:
    rows = rows_of(count)
    basis, expected = fit_basis(Statistics.of(rows), components=5), PCA(5).fit(rows.astype(np.float64))
    np.testing.assert_allclose(basis.explained_variance, expected.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(basis.explained_variance_ratio, expected.explained_variance_ratio_, atol=1e-6)
    assert_same_up_to_sign(basis.project(rows), expected.transform(rows.astype(np.float64)))


def test_fewer_rows_than_components_leave_the_rest_at_zero() -> None:
    rows = rows_of(4)
    basis, expected = fit_basis(Statistics.of(rows), components=9), PCA(3).fit(rows.astype(np.float64))
    projected = basis.project(rows)
    assert_same_up_to_sign(projected[:, :3], expected.transform(rows.astype(np.float64)))
    np.testing.assert_allclose(projected[:, 3:], 0, atol=1e-6)
    np.testing.assert_allclose(basis.components @ basis.components.T, np.eye(9), atol=1e-9)


def test_one_row_projects_to_zero_and_explains_nothing() -> None:
    rows = rows_of(1)
    basis = fit_basis(Statistics.of(rows), components=3)
    np.testing.assert_allclose(basis.project(rows), np.zeros((1, 3)), atol=1e-9)
    assert basis.variance_kept == 0


def test_constant_columns_take_part_in_no_component() -> None:
    rows = rows_of(50)
    rows[:, [2, 5]] = 4.25
    basis = fit_basis(Statistics.of(rows), components=10)
    np.testing.assert_allclose(basis.components[:, [2, 5]], 0, atol=1e-6)
    assert_same_up_to_sign(basis.project(rows), PCA(10).fit_transform(rows.astype(np.float64)))


def test_identical_rows_explain_nothing_and_fail_nowhere() -> None:
    basis = fit_basis(Statistics.of(np.full((6, 4), 2.5, np.float32)), variance=0.9)
    assert np.isfinite(basis.components).all()
    assert (basis.k, basis.variance_kept) == (1, 0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.99, 1.0])
def test_a_share_of_variance_keeps_the_fewest_components_that_reach_it(share: float) -> None:
    rows = rows_of(200)
    ratios = PCA().fit(rows.astype(np.float64)).explained_variance_ratio_
    fewest = next(k for k in range(1, 13) if ratios[:k].sum() >= share - 1e-9)
    assert fit_basis(Statistics.of(rows), variance=share).k == fewest


def test_more_components_than_features_is_one_clear_error() -> None:
    with pytest.raises(OrchardError) as caught:
        fit_basis(Statistics.of(rows_of(50)), components=13)
    assert str(caught.value) == "--components=13: rows of 12 features have at most 12. ask for fewer."


def test_no_rows_and_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(OrchardError, match="no feature rows"):
        fit_basis(Statistics.zero(4), components=1)
    rows = rows_of(3)
    rows[0, 0] = np.nan
    with pytest.raises(OrchardError, match="not finite"):
        fit_basis(Statistics.of(rows), components=1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 59), max_size=5), st.randoms(use_true_random=False))
def test_any_grouping_and_order_of_rows_gives_the_same_basis(cuts: list[int], random: object) -> None:
    rows = rows_of(60)
    shuffled = rows[np.random.default_rng(len(cuts)).permutation(60)]
    parts = [Statistics.of(part) for part in np.split(shuffled, sorted(cuts)) if len(part)]
    random.shuffle(parts)  # type: ignore[attr-defined]
    whole, grouped = Statistics.of(rows), sum(parts, Statistics.zero(12))
    assert grouped.count == whole.count
    np.testing.assert_allclose(
        fit_basis(grouped, components=5).project(rows),
        fit_basis(whole, components=5).project(rows),
        atol=1e-6,
    )


def test_rows_taken_out_leave_the_statistics_of_the_others() -> None:
    rows = rows_of(60)
    left = Statistics.of(rows) - Statistics.of(rows[:20])
    np.testing.assert_allclose(left.gram, Statistics.of(rows[20:]).gram, rtol=1e-12)
    assert left.count == 40


def test_statistics_and_basis_come_back_from_storage_unchanged(tmp_path: object) -> None:
    statistics = Statistics.of(rows_of(20))
    restored = Statistics.from_bytes(statistics.to_bytes())
    assert (restored.count, restored.gram.tolist()) == (20, statistics.gram.tolist())
    basis = fit_basis(statistics, components=4, model_id="m")
    write_basis(f"file://{tmp_path}/a b", basis)
    assert read_basis(f"file://{tmp_path}/a b").id == basis.id


def test_a_folder_without_a_basis_is_one_clear_error(tmp_path: object) -> None:
    with pytest.raises(OrchardError, match=r"it names a folder with basis\.npz"):
        read_basis(f"file://{tmp_path}")


def test_the_largest_loading_of_every_component_is_positive() -> None:
    basis: Basis = fit_basis(Statistics.of(rows_of(100)), components=12)
    largest = np.abs(basis.components).argmax(axis=1)
    assert (basis.components[np.arange(12), largest] > 0).all()
