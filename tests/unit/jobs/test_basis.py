"""The PCA is scikit-learn's; its signs stay, and a row's components are its own."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from orchard_jobs.errors import OrchardError
from orchard_jobs.pca.basis import Basis, fit_basis, read_basis, write_basis
from orchard_jobs.pca.statistics import Statistics

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
    assert (
        str(caught.value) == "--components=13: rows of 12 features have at most 12 components. Choose fewer."
    )


def test_no_rows_are_refused() -> None:
    with pytest.raises(OrchardError, match="no feature rows"):
        fit_basis(Statistics.zero(4), components=1)


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_the_components_of_a_row_do_not_depend_on_the_rows_beside_it(k: int) -> None:
    rows = rows_of(400)
    basis = fit_basis(Statistics.of(rows), components=k)
    whole = basis.project(rows)
    for size in range(1, 101):
        parts = [basis.project(rows[start : start + size]) for start in range(0, 400, size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    order = np.random.default_rng(SEED).permutation(400)
    assert basis.project(rows[order]).tobytes() == whole[order].tobytes()


def test_a_row_of_1280_features_projects_to_the_same_bits_in_a_batch_of_any_size() -> None:
    generator = np.random.default_rng(SEED)
    rows, components = (
        generator.normal(size=(200, 1280)).astype(np.float32),
        generator.normal(size=(15, 1280)),
    )
    basis = Basis(np.ones(1280), components, np.ones(15), np.ones(15) / 15, 200)
    whole = basis.project(rows)
    for size in range(1, 101):
        assert basis.project(rows[-size:]).tobytes() == whole[-size:].tobytes()


def test_a_basis_from_storage_projects_to_the_same_bits_as_the_one_that_was_fitted(tmp_path: object) -> None:
    rows = rows_of(100)
    basis = fit_basis(Statistics.of(rows), components=7)
    write_basis(f"file://{tmp_path}", basis)
    assert read_basis(f"file://{tmp_path}").project(rows).tobytes() == basis.project(rows).tobytes()


def test_a_basis_comes_back_from_storage_unchanged(tmp_path: object) -> None:
    basis = fit_basis(Statistics.of(rows_of(20)), components=4, model_id="m")
    write_basis(f"file://{tmp_path}/a b", basis)
    found = read_basis(f"file://{tmp_path}/a b")
    assert found.describe() == basis.describe()
    assert found.spectrum is not None
    np.testing.assert_array_equal(found.spectrum, basis.spectrum)


def test_a_basis_knows_what_the_directions_that_were_left_out_explain() -> None:
    rows = rows_of(100)
    basis = fit_basis(Statistics.of(rows), components=3)
    expected = PCA().fit(rows.astype(np.float64)).explained_variance_
    np.testing.assert_allclose(basis.spectrum, expected, rtol=1e-6)
    np.testing.assert_array_equal(basis.spectrum[:3], basis.explained_variance)  # type: ignore[index]


def test_a_basis_of_before_the_spectrum_was_kept_is_as_good_as_any(tmp_path: object) -> None:
    basis = replace(fit_basis(Statistics.of(rows_of(20)), components=4), spectrum=None)
    write_basis(f"file://{tmp_path}", basis)
    assert "spectrum" not in np.load(f"{tmp_path}/basis.npz")
    found = read_basis(f"file://{tmp_path}")
    assert (found.id, found.spectrum) == (basis.id, None)


def test_a_folder_without_a_basis_is_one_clear_error(tmp_path: object) -> None:
    with pytest.raises(OrchardError, match=r"no basis at file:.*must name a folder with basis\.npz"):
        read_basis(f"file://{tmp_path}")


def test_the_largest_loading_of_every_component_is_positive() -> None:
    basis: Basis = fit_basis(Statistics.of(rows_of(100)), components=12)
    largest = np.abs(basis.components).argmax(axis=1)
    assert (basis.components[np.arange(12), largest] > 0).all()


def turned(basis: Basis, signs: list[int]) -> Basis:
    return replace(basis, components=basis.components * np.array(signs, dtype=float)[:, np.newaxis])


def test_a_component_keeps_the_side_that_it_had_in_the_earlier_basis() -> None:
    signs = [1, -1, -1, 1, -1]
    earlier = turned(fit_basis(Statistics.of(rows_of(100)), components=5), signs)
    refitted = fit_basis(Statistics.of(rows_of(103)), components=5, signs_like=earlier)
    assert ((refitted.components * earlier.components).sum(axis=1) > 0.75).all()


def test_components_that_change_places_keep_their_sides() -> None:
    fitted = fit_basis(Statistics.of(rows_of(100)), components=3)
    earlier = turned(replace(fitted, components=fitted.components[[2, 0, 1]]), [-1, 1, -1])
    again = fit_basis(Statistics.of(rows_of(100)), components=3, signs_like=earlier)
    np.testing.assert_array_equal(again.components, turned(fitted, [1, -1, -1]).components)


def test_a_component_along_none_of_the_earlier_ones_has_its_largest_loading_positive() -> None:
    fitted = fit_basis(Statistics.of(rows_of(100)), components=6)
    two = replace(fitted, components=-fitted.components[:2])
    again = fit_basis(Statistics.of(rows_of(100)), components=6, signs_like=two)
    np.testing.assert_array_equal(again.components, turned(fitted, [-1, -1, 1, 1, 1, 1]).components)


@pytest.mark.parametrize(("features", "model"), [(9, "m"), (12, "other")])
def test_signs_are_not_those_of_a_basis_of_other_features_or_another_model(features: int, model: str) -> None:
    rows = Statistics.of(rows_of(100))
    fitted = fit_basis(rows, components=4, model_id="m")
    other = fit_basis(Statistics.of(rows_of(50, features)), components=4, model_id=model)
    again = fit_basis(rows, components=4, model_id="m", signs_like=turned(other, [-1] * 4))
    assert again.id == fitted.id
