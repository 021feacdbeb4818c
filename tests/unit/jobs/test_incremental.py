"""Night after night, with new, changed, deleted and rejected images: what one run on all of them gives."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from orchard_jobs.contract import ReduceJob
from orchard_jobs.errors import OrchardError
from orchard_jobs.pca.statistics import Statistics
from orchard_jobs.run_folder import RunFolder
from tests.support.jobs.feature_rows import Rows, make_rows, reduce_job, write_features
from tests.support.jobs.nights import (
    RESULTS,
    K,
    Nights,
    export_run,
    older_format,
    results,
    second_night,
    third_night,
)


@pytest.fixture(scope="module")
def first_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    found = Nights(spark, tmp_path_factory.mktemp("first"))
    found.prepare("scheduled__2026-11-22T02-00-00", {**make_rows("abcdefghij", 1), "z": None}, partitions=3)
    found.refit()
    return found


@pytest.fixture
def nights(first_night: Nights, tmp_path: Path) -> Nights:
    """The first night is over, in a lake of this test's own whose name nobody may decode."""
    lake = Path(shutil.copytree(first_night.lake, tmp_path / "lä ke #1 50%25"))
    return Nights(first_night.spark, lake, [*first_night.runs], {**first_night.known}, {**first_night.rows})


def test_refitting_night_after_night_gives_the_bytes_of_one_run_on_everything(nights: Nights) -> None:
    second_night(nights)
    nights.refit()
    third_night(nights)
    _, report = nights.refit()
    once = nights.at_once("once", components=K, signs_like=nights.folder(-2).basis)
    assert results(nights.path(-1)) == results(once)
    expected = {"rows": 13, "counted_rows": 13, "fitted_rows": 13, "basis": "refit", "statistics": "updated"}
    assert expected.items() <= report.items()


@pytest.mark.parametrize("deleted", ["", "c"])
def test_other_components_of_known_images_are_those_of_one_run_and_need_no_new_row(
    nights: Nights, deleted: str
) -> None:
    """Nothing is measured but what leaves: the features of the run are a file without rows."""
    nights.prepare("manual__2026-11-23", {}, deleted=deleted)
    _, report = nights.refit(components=2)
    once = nights.at_once("once", components=2, signs_like=nights.folder(-2).basis)
    assert results(nights.path(-1)) == results(once)
    assert {"k": 2, "rows": 10 - len(deleted), "statistics": "updated"}.items() <= report.items()


def test_without_earlier_signs_one_run_differs_from_the_nights_in_nothing_but_signs(nights: Nights) -> None:
    second_night(nights)
    nights.refit()
    once = nights.at_once("once", components=K)
    ours, theirs = (np.load(run / "basis" / "basis.npz") for run in (nights.path(-1), once))
    np.testing.assert_array_equal(np.abs(ours["components"]), np.abs(theirs["components"]))
    np.testing.assert_array_equal(ours["mean"], theirs["mean"])


def test_reusing_the_basis_gives_the_bytes_of_projecting_everything_onto_it_until_a_refit(
    nights: Nights,
) -> None:
    second_night(nights)
    nights.reuse()
    third_night(nights)
    _, report = nights.reuse()
    once = nights.at_once("once", basis=nights.folder(0).basis)
    assert results(nights.path(-1)) == results(once)
    expected = {"rows": 13, "counted_rows": 13, "fitted_rows": 10, "basis": "reuse", "statistics": "updated"}
    assert expected.items() <= report.items()
    nights.refit()
    once = nights.at_once("fitted", components=K, signs_like=nights.folder(0).basis)
    assert results(nights.path(-1)) == results(once)


def test_with_a_basis_reused_old_rows_are_untouched_and_no_old_feature_is_read(nights: Nights) -> None:
    lines = (nights.path(-1) / "csv" / "features.csv").read_text().splitlines()
    (nights.path(-1) / "features").rename(nights.lake / "gone")
    nights.prepare("only-new-images", make_rows("xy", 2))
    nights.reuse()
    now = (nights.path(-1) / "csv" / "features.csv").read_text().splitlines()
    assert [line for line in now if not line.startswith(('"x"', '"y"'))] == lines
    assert len(now) == len(lines) + 2


def test_an_old_feature_is_read_for_the_statistics_only_where_its_image_leaves(nights: Nights) -> None:
    """Of the second run an image is deleted; the first one's features are gone, and nobody misses them."""
    second_night(nights)
    nights.reuse()
    (nights.path(0) / "features").rename(nights.lake / "gone")
    nights.prepare("third", make_rows("n", 4), deleted="k")
    _, report = nights.reuse()
    assert (report["rows"], report["statistics"]) == (12, "updated")


def test_signs_stay_put_between_refits(nights: Nights) -> None:
    basis = nights.path(-1) / "basis" / "basis.npz"
    with np.load(basis) as found:
        arrays = {**found, "components": found["components"] * [[-1], [1], [-1]]}
    np.savez(basis, **arrays)
    nights.prepare("second", make_rows("k", 2))
    nights.refit()
    with np.load(nights.path(-1) / "basis" / "basis.npz") as found:
        cosines = (found["components"] * arrays["components"]).sum(axis=1)
    assert (cosines > 0.9).all()


@pytest.mark.parametrize(("mode", "how"), [("refit", "truncated"), ("refit", "older"), ("reuse", "lost")])
def test_statistics_that_cannot_be_read_are_measured_again_to_the_last_bit(
    nights: Nights, mode: str, how: str
) -> None:
    stored = nights.path(-1) / "statistics" / "statistics.npz"
    second_night(nights)
    run = {"refit": nights.refit, "reuse": nights.reuse}[mode]
    run()
    expected, data = results(nights.path(-1)), stored.read_bytes()
    if how == "lost":
        stored.unlink()
    else:
        stored.write_bytes(data[: len(data) // 2] if how == "truncated" else older_format())
    _, report = run()
    assert results(nights.path(-1)) == expected
    assert report["statistics"] == "measured"


def test_a_row_that_was_subtracted_already_fails_the_job(nights: Nights) -> None:
    nights.prepare("second", make_rows("x", 2), deleted="a")
    nights.refit()
    nights.prepare("third", make_rows("y", 2))
    first = nights.runs[0]
    again = [(path, "e", "ok", first, True) for path in "bcdefghij"] + [("x", "e", "ok", "second", True)]
    nights.write_earlier([*again, ("a", "e", "ok", first, False)])
    with pytest.raises(OrchardError, match=r"statistics of 10 rows for 11 rows: .*omit --statistics and"):
        nights.refit()


def test_a_row_that_an_earlier_run_has_lost_fails_the_job(nights: Nights) -> None:
    lost = make_rows("abcdefgh", 1)
    (nights.path(-1) / "features").rename(nights.lake / "whole")
    write_features(nights.spark, nights.path(-1), lost)
    nights.prepare("second", make_rows("x", 2))
    with pytest.raises(OrchardError, match="statistics of 11 rows for 9 rows"):
        nights.refit()


def test_an_image_that_is_computed_again_and_said_to_stay_never_comes_twice(nights: Nights) -> None:
    nights.prepare("second", make_rows("ax", 2))
    nights.write_earlier([(path, "e", "ok", nights.runs[0], True) for path in "abcdefghij"])
    with pytest.raises(OrchardError, match="two rows of 'a': every image must have one row"):
        nights.refit()
    assert list(nights.path(-1).glob("csv/features*")) == []


def test_projected_rows_of_another_basis_are_refused(nights: Nights) -> None:
    second_night(nights)
    nights.refit()
    third_night(nights)
    with pytest.raises(OrchardError, match="--projected has rows of the basis"):
        nights.reuse(basis=nights.folder(0).basis)


def test_statistics_of_another_model_are_one_clear_error(nights: Nights) -> None:
    stored = nights.path(-1) / "statistics" / "statistics.npz"
    stored.write_bytes(Statistics.zero(5).to_bytes())
    nights.prepare("second", make_rows("x", 2))
    with pytest.raises(OrchardError, match="statistics of 5 and of 8 features"):
        nights.refit()


def test_a_rerun_gives_the_same_bytes_however_the_rows_are_partitioned(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows: Rows = {
        **{f"a/{name}": row for name, row in make_rows("abcdefghijklmnopqrstuvw").items()},
        **dict.fromkeys(("b/x", "b/ü", "a/y"), None),
    }
    found = []
    for partitions in (1, 3, 7):
        run = tmp_path / str(partitions)
        folder = RunFolder(f"file://{run}")
        write_features(spark, run, dict(sorted(rows.items(), reverse=partitions == 3)), partitions)
        reduce_job(spark, ReduceJob(features=(folder.features,), output=folder.uri, components=K))
        export_run(spark, folder)
        export_run(spark, folder, shards=3)
        more = {path.name: path.read_bytes() for path in sorted(run.glob("csv/*"))}
        found.append({**results(run), **more, "outcomes": (run / "outcomes.parquet").read_bytes()})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(RESULTS) + 5 + 1
