"""Components of all rows, whatever the partitions and however many runs they came in."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.ml.feature import PCA as SparkPCA  # noqa: N811
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812
from sklearn.decomposition import PCA

from orchard_jobs import reduce
from orchard_jobs.errors import OrchardError
from orchard_jobs.pca import measuring
from orchard_jobs.pca.earlier import FeaturePart
from orchard_jobs.pca.statistics import Statistics
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.storage import write_bytes
from orchard_jobs.tables.parquet import find_parts, to_parquet
from tests.support.jobs.feature_rows import FEATURES_SCHEMA, Rows, make_rows, reduce_run, write_features


def assert_components_of(actual: Rows, rows: Rows, k: int) -> None:
    """Compare with scikit-learn on all rows at once, up to sign."""
    good = {path: row.astype(np.float64) for path, row in rows.items() if row is not None}
    expected = PCA(k).fit_transform(np.array(list(good.values())))
    found = np.array([actual[path] for path in good])
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-6)
    assert set(actual) == set(good)


@pytest.mark.parametrize("partitions", [1, 5])
def test_components_are_those_of_scikit_learn_for_any_number_of_partitions(
    spark: SparkSession, tmp_path: Path, partitions: int
) -> None:
    rows = make_rows("abcdefghijklmnopqrst")
    write_features(spark, tmp_path, rows, partitions)
    components, report = reduce_run(spark, tmp_path, components=3)
    assert_components_of(components, rows, 3)
    assert (report["k"], report["rows"], report["fitted_rows"]) == (3, 20, 20)


def test_components_are_those_of_spark_ml_which_does_not_centre(spark: SparkSession, tmp_path: Path) -> None:
    rows = make_rows("abcdefghijklmnopqrst")
    write_features(spark, tmp_path, rows, 3)
    components, _ = reduce_run(spark, tmp_path, components=3)
    vectors = spark.read.parquet(f"file://{tmp_path}/features").select(
        "path", array_to_vector(F.col("features").cast("array<double>")).alias("x")
    )
    fitted = SparkPCA(k=3, inputCol="x", outputCol="y").fit(vectors)
    theirs = {row["path"]: row["y"].toArray() for row in fitted.transform(vectors).collect()}
    expected = np.array([theirs[path] for path in rows])
    expected -= expected.mean(axis=0)
    ours = np.array([components[path] for path in rows])
    np.testing.assert_allclose(ours * np.sign((ours * expected).sum(axis=0)), expected, atol=1e-6)


def test_rejected_rows_have_no_components(spark: SparkSession, tmp_path: Path) -> None:
    rows = {**make_rows("abcdef"), "bad": None}
    write_features(spark, tmp_path, rows, 2)
    components, _ = reduce_run(spark, tmp_path, components=2)
    assert_components_of(components, rows, 2)


def test_fewer_images_than_components_still_give_all_columns(spark: SparkSession, tmp_path: Path) -> None:
    rows = make_rows("a")
    write_features(spark, tmp_path, rows)
    components, report = reduce_run(spark, tmp_path, components=5)
    np.testing.assert_allclose(components["a"], np.zeros(5), atol=1e-6)
    assert report["variance_kept"] == 0


def test_more_components_than_features_is_one_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    write_features(spark, tmp_path, make_rows("abc"))
    with pytest.raises(OrchardError, match="--components=9: rows of 8 features have at most 8"):
        reduce_run(spark, tmp_path, components=9)


def test_nothing_but_rejected_rows_is_one_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    write_features(spark, tmp_path, {"bad": None})
    with pytest.raises(OrchardError, match="no image with features"):
        reduce_run(spark, tmp_path, components=1)


def test_runs_one_after_the_other_give_what_one_run_on_everything_gives(
    spark: SparkSession, tmp_path: Path
) -> None:
    first, second, third = (
        make_rows(names, seed) for seed, names in enumerate(("abcdefgh", "ijklm", "nopqrstuvw"))
    )
    folders = [tmp_path / name for name in "123"]
    for place, (folder, rows) in enumerate(zip(folders, (first, second, third), strict=True)):
        write_features(spark, folder, rows)
        components, report = reduce_run(spark, folder, *folders[:place], components=3)
    assert_components_of(components, {**first, **second, **third}, 3)
    assert report["fitted_rows"] == 8 + 5 + 10


def test_a_changed_image_counts_once_with_its_newest_content(spark: SparkSession, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "123"]
    runs: list[Rows] = [
        make_rows("abcdefgh", 1),
        {**make_rows("cd", 2), "e": None},  # two changed, one became unreadable
        {**make_rows("cx", 3), "e": make_rows("e", 4)["e"]},  # one changed again, one is new, one is back
    ]
    for place, (folder, rows) in enumerate(zip(folders, runs, strict=True)):
        write_features(spark, folder, rows)
        components, report = reduce_run(spark, folder, *folders[:place], components=3)
    now: Rows = {**runs[0], **runs[1], **runs[2]}
    assert_components_of(components, now, 3)
    assert report["fitted_rows"] == len(now) == 9


def test_a_run_of_rejected_images_only_leaves_the_others_as_they_are(
    spark: SparkSession, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "12"]
    rows = make_rows("abcdefgh", 1)
    write_features(spark, folders[0], rows)
    reduce_run(spark, folders[0], components=2)
    write_features(spark, folders[1], {"bad": None})
    components, report = reduce_run(spark, folders[1], folders[0], components=2)
    assert_components_of(components, rows, 2)
    assert report["fitted_rows"] == 8


def test_statistics_that_are_not_those_of_the_rows_fail_the_job(spark: SparkSession, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "12"]
    for folder, names in zip(folders, ("abcdefgh", "ij"), strict=True):
        write_features(spark, folder, make_rows(names))
    reduce_run(spark, folders[0], components=2)
    spark.createDataFrame([("x", "l", "e", 1, 1, "ok", None, [1.0] * 8, None)], FEATURES_SCHEMA).write.mode(
        "append"
    ).parquet(f"file://{folders[0]}/features")
    with pytest.raises(OrchardError, match="statistics of 10 rows for 11 rows"):
        reduce_run(spark, folders[1], folders[0], components=2)


def test_features_that_an_earlier_job_did_not_write_are_one_clear_error(
    spark: SparkSession, tmp_path: Path
) -> None:
    write_features(spark, tmp_path / "2", make_rows("abc"))
    with pytest.raises(OrchardError, match=r"no Parquet at file:.*/1/features: it must name the output"):
        reduce_run(spark, tmp_path / "2", tmp_path / "1", components=2)


def test_features_of_a_file_are_not_read_where_none_of_its_rows_counts(tmp_path: Path) -> None:
    """Of a lake of many nights, most that an old file holds may have been replaced since."""
    rows = pa.table({"path": ["a", "b"], "label": ["", ""], "status": ["ok", "corrupt"]})
    write_bytes(f"file://{tmp_path}/rows.parquet", to_parquet(rows))
    (part,) = find_parts(f"file://{tmp_path}")
    nothing = FeaturePart(part, lambda paths: pc.equal(paths, "b"))
    assert nothing.read().num_rows == 0
    with pytest.raises(OrchardError, match="has no features"):
        FeaturePart(part, lambda paths: pc.equal(paths, "a")).read()


def test_features_of_different_lengths_in_one_file_are_one_clear_error(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = make_rows("ab", features=3) | make_rows("c", features=6)
    write_features(spark, tmp_path, rows)
    with pytest.raises(OrchardError, match="rows of 3 numbers beside rows of 6: all rows of one model"):
        reduce_run(spark, tmp_path, components=2)


def test_a_file_of_something_else_among_the_components_fails_the_job(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_features(spark, tmp_path, make_rows("abc"))
    write_bytes(f"file://{tmp_path}/components/part-of-another-run.parquet", b"")
    monkeypatch.setattr(reduce, "delete_folder", lambda uri: None)
    with pytest.raises(OrchardError, match=r"2 files in .*, of which 1 are this job's"):
        reduce_run(spark, tmp_path, components=2)


def test_a_basis_of_other_features_is_one_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    write_features(spark, tmp_path / "1", make_rows("abc", features=5))
    write_features(spark, tmp_path / "2", make_rows("abc", features=8))
    reduce_run(spark, tmp_path / "1", components=2)
    with pytest.raises(OrchardError, match="has 5 features of the model None: the rows have 8 features"):
        reduce_run(spark, tmp_path / "2", basis=RunFolder(f"file://{tmp_path}/1").basis)


def test_what_a_worker_refuses_reaches_the_user_as_the_one_line_that_it_is(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = make_rows("abc")
    rows["a"] = np.array([np.nan] * 8, np.float32)
    write_features(spark, tmp_path, rows)
    with pytest.raises(
        OrchardError, match=r"^features that are not finite numbers: PCA needs finite features"
    ):
        reduce_run(spark, tmp_path, components=2)


@pytest.mark.parametrize("parts", [1, 32])
def test_what_many_cores_measure_is_added_up_before_it_reaches_the_driver(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    monkeypatch.setattr(measuring, "PARTS", parts)  # 1: fewer than this session has cores
    rows = make_rows("abcdefghijklmnopqrst")
    write_features(spark, tmp_path, rows, 7)
    reduce_run(spark, tmp_path, components=2)
    written = (tmp_path / "statistics" / "statistics.npz").read_bytes()
    assert written == Statistics.of(np.array(list(rows.values()))).to_bytes()


def test_an_existing_basis_is_used_as_it_is(spark: SparkSession, tmp_path: Path) -> None:
    write_features(spark, tmp_path / "1", make_rows("abcdefgh", 1))
    write_features(spark, tmp_path / "2", make_rows("ij", 2))
    _, fitted = reduce_run(spark, tmp_path / "1", components=2)
    components, reused = reduce_run(spark, tmp_path / "2", basis=RunFolder(f"file://{tmp_path}/1").basis)
    assert reused["basis_id"] == fitted["basis_id"]
    assert set(components) == {"i", "j"}
