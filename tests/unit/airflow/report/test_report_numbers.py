"""The numbers of a report, against what they are by definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard.report.formats import cost, duration, moment, percent, shorten
from orchard.report.loading.sampling import choose_rows, hash_paths, share_out
from orchard.report.numbers.neighbours import separate
from orchard.report.numbers.spectrum import components_for, principal_angles, turned
from orchard.report.page.styles import SHAPES, SWATCHES, assign_styles
from orchard.report.page.thumbnail_uris import to_base64

COUNTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=60)


@given(COUNTS, st.integers(1, 5000))
def test_as_many_rows_are_chosen_as_there_is_room_for_and_of_no_label_more_than_it_has(
    counts: list[int], limit: int
) -> None:
    shares = share_out(np.array(counts), limit)
    assert shares.sum() == min(sum(counts), limit)
    assert (shares >= 0).all()
    assert (shares <= counts).all()


@given(COUNTS)
def test_a_small_label_is_seen_beside_large_ones(counts: list[int]) -> None:
    shares = share_out(np.array(counts), 240)
    assert (shares >= np.minimum(counts, 2)).all()


def test_of_more_labels_than_places_the_sample_is_still_full() -> None:
    assert share_out(np.ones(9000, np.int64), 5000).sum() == 5000


@given(st.permutations(range(300)))
def test_the_sample_does_not_depend_on_the_order_of_the_rows(order: list[int]) -> None:
    labels = np.array([place % 7 for place in range(300)], np.int32)
    paths = np.array([f"{label}/{place}" for place, label in enumerate(labels)], dtype=object)

    def chosen(places: np.ndarray) -> set[str]:
        found = choose_rows(labels[places], hash_paths(paths[places].tolist()), 40)
        return set(paths[places][found])

    assert chosen(np.array(order)) == chosen(np.arange(300))


def test_an_image_stays_in_the_sample_when_others_come() -> None:
    """Half of the places were a.jpg's label before as after."""
    before = [f"a/{place}" for place in range(100)]
    after = [*before, *(f"a/new-{place}" for place in range(10))]
    kept = [
        {paths[row] for row in choose_rows(np.zeros(len(paths), np.int32), hash_paths(paths), 50)}
        for paths in (before, after)
    ]
    assert len(kept[0] & kept[1]) >= 40


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    """700 rows, more than a block, of five labels of different sizes, one of a single row."""
    generator = np.random.default_rng(5)
    labels = np.array([0] * 400 + [1] * 150 + [2] * 100 + [3] * 49 + [4])
    generator.shuffle(labels)
    return generator.normal(size=(700, 3)) + labels[:, np.newaxis] * 1.5, labels


def test_neighbours_and_silhouettes_are_what_their_definitions_say(
    rows: tuple[np.ndarray, np.ndarray],
) -> None:
    values, labels = rows
    distances = np.linalg.norm(values[:, np.newaxis] - values, axis=2)
    silhouettes = []
    for row, label in enumerate(labels):
        means = {other: distances[row, labels == other].mean() for other in range(5) if other != label}
        own = (labels == label).sum()
        within = distances[row, labels == label].sum() / max(own - 1, 1)
        beyond = min(means.values())
        silhouettes.append((beyond - within) / max(within, beyond) if own > 1 else 0.0)
    found = separate(values, labels)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(found.nearest, distances.argmin(axis=1))
    for label in range(5):
        mine = labels == label
        assert found.silhouette[label] == pytest.approx(np.array(silhouettes)[mine].mean(), abs=1e-6)
        centre = values[mine].mean(axis=0)
        away = np.linalg.norm(values - centre, axis=1)
        assert found.spread[label] == pytest.approx(np.sqrt((away[mine] ** 2).mean()))
        assert found.typical[label] == np.where(mine, away, np.inf).argmin()


def test_the_closest_label_is_the_one_beside_it() -> None:
    values = np.array([[0.0], [0.2], [5.0], [5.2], [6.0], [6.2]])
    assert separate(values, np.array([0, 0, 1, 1, 2, 2])).closest.tolist() == [1, 2, 1]


def test_one_label_or_one_image_has_no_silhouette_and_no_neighbour_of_another_label() -> None:
    one = separate(np.array([[1.0], [2.0], [3.5]]), np.zeros(3, int))
    assert np.isnan(one.silhouette).all()
    assert one.closest.tolist() == [-1]
    assert separate(np.array([[1.0]]), np.zeros(1, int)).nearest.tolist() == [-1]


def test_images_that_are_all_the_same_divide_by_no_zero() -> None:
    same = separate(np.zeros((4, 2)), np.array([0, 0, 1, 1]))
    assert same.silhouette.tolist() == [0, 0]


@pytest.mark.parametrize("degrees", [0, 1e-6, 0.5, 30, 45, 60, 89.5, 90])
def test_a_plane_that_is_turned_has_that_angle(degrees: float) -> None:
    angle = np.radians(degrees)
    plane = np.eye(2, 6)
    other = np.array([[1, 0, 0, 0, 0, 0], [0, np.cos(angle), 0, np.sin(angle), 0, 0]])
    np.testing.assert_allclose(principal_angles(plane, other), [0, degrees], atol=1e-9)
    np.testing.assert_allclose(turned(plane, other), [0, degrees], atol=1e-5)


def test_a_space_within_another_has_no_angle_to_it_and_turning_within_is_no_angle_either() -> None:
    three, two = np.eye(3, 6), np.array([[0, 0.6, 0.8, 0, 0, 0], [0, 0.8, -0.6, 0, 0, 0]])
    np.testing.assert_allclose(principal_angles(three, two), [0, 0], atol=1e-9)
    np.testing.assert_allclose(principal_angles(two, three), [0, 0], atol=1e-9)
    assert turned(three, two).tolist() == pytest.approx([90, np.degrees(np.arccos(0.8))])


@pytest.mark.parametrize(("share", "k"), [(0.5, 1), (0.51, 2), (0.8, 2), (0.95, 3), (1.0, 4), (0.0, 1)])
def test_the_fewest_components_for_a_share(share: float, k: int) -> None:
    assert components_for(np.array([0.5, 0.3, 0.15, 0.05]), share) == k


def test_components_that_were_left_out_may_be_what_a_share_takes() -> None:
    assert components_for(np.array([0.5, 0.3]), 0.9) is None


def test_up_to_seven_labels_differ_in_colour_and_in_shape_and_any_number_has_a_style() -> None:
    centres = np.random.default_rng(0).normal(size=(120, 2))
    for count in (1, 7):
        styles = assign_styles(centres[:count])
        assert len({style.colour for style in styles}) == len({style.shape for style in styles}) == count
    assert set(SWATCHES) == set(SHAPES)
    assert len(assign_styles(centres)) == 120


def test_labels_beside_each_other_have_different_colours() -> None:
    """On a grid of 10 x 10 no label has the colour of one that touches it."""
    centres = np.array([(x, y) for x in range(10) for y in range(10)], dtype=float)
    colours = np.array([style.colour for style in assign_styles(centres)])
    distances = np.linalg.norm(centres[:, np.newaxis] - centres, axis=2)
    touching = np.argwhere((distances > 0) & (distances <= 1))
    assert len(touching) == 360
    assert (colours[touching[:, 0]] != colours[touching[:, 1]]).all()


def test_thumbnails_beyond_the_limit_are_left_out_evenly() -> None:
    texts = to_base64([b"123456"] * 10, 40)
    assert [bool(text) for text in texts] == [True, False] * 5
    assert to_base64([b"123456", None], 40) == ["MTIzNDU2", ""]
    assert to_base64([b"123456"] * 3, 8) == ["MTIzNDU2", "", ""]
    assert to_base64([b"123456"] * 3, 0) == ["", "", ""]


def test_numbers_are_written_as_people_read_them() -> None:
    assert [duration(s) for s in (0.04, 9.96, 59.6, 61, 3599, 7260, None)] == [
        "0.0 s", "10.0 s", "1 min 0 s", "1 min 1 s", "59 min 59 s", "2 h 1 min", "–",
    ]  # fmt: skip
    assert percent(0.56845) == "56.8\N{NO-BREAK SPACE}%"
    assert moment("2026-11-02T05:06:07+00:00") == "2 November 2026, 05:06 UTC"
    assert shorten("a/" + "x" * 40 + "/end.jpg", 20) == "a/xxxx…xxxxx/end.jpg"
    assert [cost(value) for value in ({"dollars": 1234.567}, {"dollars": None}, None)] == [
        "$1,234.57",
        None,
        None,
    ]
