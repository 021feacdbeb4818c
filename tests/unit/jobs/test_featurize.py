"""Images to feature rows, on Spark, with the real model and files as bad as they come."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from orchard_jobs import featurize
from orchard_jobs.contract import FEATURE_COLUMNS, THUMBNAILS, FeaturizeJob, Status, hash_path
from orchard_jobs.errors import OrchardError
from orchard_jobs.images.decode import decode_image
from orchard_jobs.images.manifest import SCHEMA as MANIFEST
from orchard_jobs.images.manifest import Manifest, cut, write_listing
from orchard_jobs.images.thumbnail import build_thumbnail
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.models.runtimes import load_model
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.storage import write_bytes
from orchard_jobs.tables.parquet import to_parquet
from tests.support.bad_images import IGNORED, VANISHING, write_folder


def run(spark: SparkSession, job: FeaturizeJob) -> list[dict[str, object]]:
    folder = RunFolder(job.output)
    with JobMetrics(job.NAME, folder.metrics(job.NAME)) as metrics:
        featurize.run(spark.sparkContext, job, metrics)
    return [row.asDict() for row in spark.read.parquet(folder.features).orderBy("path").collect()]


@pytest.fixture(scope="module")
def bad_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    root = tmp_path_factory.mktemp("bad") / "images #1 ü"
    return root, write_folder(root, good=6)


@pytest.fixture(scope="module")
def bad_rows(
    spark: SparkSession,
    model_uri: str,
    bad_folder: tuple[Path, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[object, dict[str, object]]:
    """Every bad image through the whole job, one of them removed between listing and reading."""
    root, _ = bad_folder
    output = f"file://{tmp_path_factory.mktemp('run')}"
    write_listing(f"file://{root}", RunFolder(output).manifest)
    (root / VANISHING).unlink()
    job = FeaturizeJob(
        images=f"file://{root}",
        model=model_uri,
        output=output,
        manifest=RunFolder(output).manifest,
        batch_size=7,
        max_failure_ratio=0.5,
    )
    return {row["path"]: row for row in run(spark, job)}


def test_every_bad_image_becomes_a_row_with_its_status(
    bad_rows: dict[object, dict[str, object]], bad_folder: tuple[Path, dict[str, str]]
) -> None:
    _, expected = bad_folder
    listed = {path: status for path, status in expected.items() if status != IGNORED}
    assert {path: row["status"] for path, row in bad_rows.items()} == listed


def test_a_rejected_row_has_a_message_and_no_features(bad_rows: dict[object, dict[str, object]]) -> None:
    rejected = [row for row in bad_rows.values() if row["status"] != Status.OK]
    assert len(rejected) > 10
    assert all(row["error"] and "\n" not in str(row["error"]) and row["features"] is None for row in rejected)
    assert all(row["thumbnail"] is None for row in rejected)


def test_a_good_row_has_the_features_and_thumbnail_of_its_own_image_whatever_stands_beside_it(
    bad_rows: dict[object, dict[str, object]], bad_folder: tuple[Path, dict[str, str]], model_uri: str
) -> None:
    root, _ = bad_folder
    job = FeaturizeJob(images="", model=model_uri, output="")
    model = load_model(model_uri, job.runtime, job.precision, 1)
    good = [row for row in bad_rows.values() if row["status"] == Status.OK]
    assert len(good) > 50
    for row in good[::5]:
        decoded = decode_image((root / str(row["path"])).read_bytes())
        expected = model.features(decoded.pixels[np.newaxis])[0]  # type: ignore[union-attr]
        np.testing.assert_allclose(np.array(row["features"]), expected, atol=1e-4)
        assert row["thumbnail"] == build_thumbnail(decoded.pixels)  # type: ignore[union-attr]
        assert (row["width"], row["height"], row["error"]) == (decoded.width, decoded.height, None)  # type: ignore[union-attr]


def test_too_many_rejected_images_fail_the_job_with_the_counts(
    spark: SparkSession, model_uri: str, tmp_path: Path
) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (tmp_path / "images" / "a" / name).write_bytes(b"" if name == "1.jpg" else b"no image at all")
    job = FeaturizeJob(images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run")
    with pytest.raises(OrchardError) as caught:
        run(spark, job)
    assert str(caught.value).startswith(
        "3 of 3 images rejected (empty 1, not_an_image 2): at most 5.00% may be rejected "
        "(--max-failure-ratio=0.05)"
    )
    examples = tmp_path / "run" / "reports" / "featurize.json"
    assert f"See rejected_examples in file://{examples}," in str(caught.value)
    assert "rejected_examples" in json.loads(examples.read_text())


def test_the_ratio_is_of_all_listed_images_so_that_one_bad_new_one_fails_no_night(
    spark: SparkSession, model_uri: str, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").write_bytes(b"")
    job = FeaturizeJob(
        images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run", listed=100
    )
    assert [row["status"] for row in run(spark, job)] == ["empty"]


def test_a_file_too_large_to_read_becomes_a_row_unread(
    spark: SparkSession, model_uri: str, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    with (tmp_path / "images" / "huge.jpg").open("wb") as sparse:
        sparse.truncate(2**33)
    job = FeaturizeJob(
        images=f"file://{tmp_path}/images",
        model=model_uri,
        output=f"file://{tmp_path}/run",
        max_failure_ratio=1,
    )
    (row,) = run(spark, job)
    assert (row["status"], row["error"]) == ("too_large", "8589934592 bytes; the limit is 67108864")


def test_an_empty_folder_is_one_clear_error(spark: SparkSession, model_uri: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(OrchardError, match="no images in file://"):
        run(
            spark,
            FeaturizeJob(
                images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run"
            ),
        )


def test_without_a_new_image_features_are_a_file_without_rows_and_the_model_is_not_loaded(
    spark: SparkSession, model_uri: str, tmp_path: Path
) -> None:
    """The manifest is the new part of a listing: of other components on known images, it has no row."""
    weightless = shutil.copytree(Path(model_uri.removeprefix("file://")), tmp_path / "model")
    (weightless / "model.bin").unlink()
    write_bytes(f"file://{tmp_path}/manifest.parquet", to_parquet(MANIFEST.empty_table()))
    job = FeaturizeJob(
        images=f"file://{tmp_path}/images",
        model=f"file://{weightless}",
        output=f"file://{tmp_path}/run",
        manifest=f"file://{tmp_path}/manifest.parquet",
        listed=25,
    )
    assert run(spark, job) == []
    assert [path.name for path in (tmp_path / "run" / "features").iterdir()] == [
        "part-0000000000-0000000000.parquet"
    ]
    with pytest.raises(OrchardError, match=r"no images in file://.*manifest.parquet"):
        run(spark, replace(job, listed=None))


def test_a_second_run_into_the_same_folder_replaces_the_first(
    spark: SparkSession, model_uri: str, bad_folder: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    images = tmp_path / "images" / "a"
    images.mkdir(parents=True)
    shutil.copy(bad_folder[0] / "odd" / "plain.jpg", images / "1.jpg")
    job = FeaturizeJob(images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run")
    first, second = run(spark, job), run(spark, job)
    assert len(first) == 1
    assert first == second
    assert tuple(first[0]) == FEATURE_COLUMNS


@pytest.mark.parametrize(("images", "tasks"), [(1, 1), (300, 10), (3000, 44), (10332, 63), (10**6, 1055)])
def test_the_manifest_is_cut_into_ever_smaller_ranges_of_images(images: int, tasks: int) -> None:
    bounds = cut(np.full(images, 5_000))
    assert len(bounds) - 1 == tasks
    assert (bounds[0], bounds[-1]) == (0, images)
    lengths = np.diff(bounds)
    assert lengths.max() <= 1024
    assert (np.diff(lengths) <= 1).all()


@pytest.mark.parametrize("cores", [2, 3, 8, 16])
def test_however_many_cores_there_are_they_end_together(cores: int) -> None:
    ends = np.zeros(cores)
    for length in np.diff(cut(np.full(10_000, 5_000))):
        ends[ends.argmin()] += length
    assert ends.max() < 1.05 * ends.mean()


def test_a_photograph_counts_as_many_small_images_when_the_manifest_is_cut() -> None:
    bounds = cut(np.array([5_000] * 900 + [5_000_000] * 100))
    counts = np.diff(bounds)
    assert max(counts[np.array(bounds[:-1]) >= 900]) < min(counts[np.array(bounds[1:]) <= 900]) / 5
    assert bounds[-1] == 1000


def test_where_the_manifest_is_cut_changes_no_row(
    spark: SparkSession, model_uri: str, bad_folder: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """So it does not matter which images an executor reads one after the other."""
    images = f"file://{bad_folder[0]}"
    write_listing(images, f"file://{tmp_path}/manifest.parquet")
    whole = Manifest.read(f"file://{tmp_path}/manifest.parquet")
    found = []
    for bounds in ((0, whole.total), (0, 5, 6, whole.total), whole.bounds):
        job = FeaturizeJob(images=images, model=model_uri, output=f"file://{tmp_path}/{len(bounds)}")
        context = spark.sparkContext
        featurize.featurize(context, job, Manifest(whole.part, bounds), context.accumulator(0))
        rows = spark.read.parquet(RunFolder(job.output).features).orderBy("path").collect()
        found.append([row.asDict() for row in rows])
    assert len(found[0]) == whole.total
    assert found[0] == found[1] == found[2]


def test_a_manifest_that_is_not_sorted_is_one_clear_error(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/manifest.parquet"
    write_bytes(uri, to_parquet(pa.table({"path": ["b", "a"], "size": [1, 1]})))
    with pytest.raises(OrchardError, match="its rows must be sorted by path"):
        Manifest.read(uri)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": ["a"]}, "has no size: "),
        ({"path": ["a", None], "size": [1, 1]}, "has rows without path"),
        ({"path": ["a"], "size": ["large"]}, "sizes whole numbers"),
    ],
)
def test_a_manifest_that_nothing_can_be_read_by_is_one_clear_error(
    columns: dict[str, list[object]], message: str, tmp_path: Path
) -> None:
    uri = f"file://{tmp_path}/manifest.parquet"
    write_bytes(uri, to_parquet(pa.table(columns)))
    with pytest.raises(OrchardError, match=message):
        Manifest.read(uri)


def test_a_manifest_of_any_strings_and_unknown_sizes_is_read(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/manifest.parquet"
    paths = pa.array(["a", "b"], pa.large_string())
    columns = {"path": paths, "label": paths.dictionary_encode(), "etag": paths, "size": [None, 7]}
    write_bytes(uri, to_parquet(pa.table(columns)))
    rows = Manifest.read(uri).read_range(0, 2)
    names = ["a", "b"]
    assert rows.to_pydict() == {"path": names, "label": names, "etag": names, "size": [None, 7]}


def test_a_label_that_is_not_utf_8_is_listed_with_its_bytes_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "images" / os.fsdecode(b"\xff")
    folder.mkdir(parents=True)
    (folder / "1.jpg").touch()
    uri = f"file://{tmp_path}/manifest.parquet"
    write_listing(f"file://{tmp_path}/images", uri)
    rows = Manifest.read(uri).read_range(0, 1)
    assert rows.select(["path", "label"]).to_pylist() == [{"path": "\\xff/1.jpg", "label": "\\xff"}]


def test_two_files_whose_names_look_the_same_are_two_images(
    spark: SparkSession, model_uri: str, bad_folder: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """One uploader must not be able to keep everybody's results from being published."""
    images = tmp_path / "images" / "a"
    images.mkdir(parents=True)
    for name in (b"\xff.jpg", rb"\xff.jpg"):
        shutil.copy(bad_folder[0] / "odd" / "plain.jpg", images / os.fsdecode(name))
    job = FeaturizeJob(images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run")
    rows = run(spark, job)
    assert [(row["path"], row["status"]) for row in rows] == [(r"a/\x5cxff.jpg", "ok"), (r"a/\xff.jpg", "ok")]


def test_a_late_attempt_at_a_range_changes_nothing_and_counts_what_is_there(
    spark: SparkSession, model_uri: str, bad_folder: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """An executor that was given up for lost writes after the one that took its place."""
    images = tmp_path / "images" / "a"
    images.mkdir(parents=True)
    for name in ("1.jpg", "2.jpg"):
        shutil.copy(bad_folder[0] / "odd" / "plain.jpg", images / name)
    job = FeaturizeJob(images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run")
    before = run(spark, job)
    files = {path: path.read_bytes() for path in (tmp_path / "run" / "features").iterdir()}
    (images / "2.jpg").write_bytes(b"")  # the late one sees another image
    context = spark.sparkContext
    counts = featurize.featurize(
        context, job, Manifest.read(RunFolder(job.output).manifest), context.accumulator(0)
    )
    assert counts.by_status["ok"] == len(before) == 2
    assert {path: path.read_bytes() for path in (tmp_path / "run" / "features").iterdir()} == files


def test_features_of_other_images_in_the_place_of_a_range_fail_the_job(
    spark: SparkSession,
    model_uri: str,
    bad_folder: tuple[Path, dict[str, str]],
    tmp_path: Path,
) -> None:
    """A job that was given up for lost, with another manifest of as many images."""
    (tmp_path / "images").mkdir()
    shutil.copy(bad_folder[0] / "odd" / "plain.jpg", tmp_path / "images" / "1.jpg")
    job = FeaturizeJob(images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run")
    run(spark, job)
    (tmp_path / "images" / "1.jpg").rename(tmp_path / "images" / "2.jpg")
    write_listing(job.images, RunFolder(job.output).manifest)
    context = spark.sparkContext
    with pytest.raises(OrchardError, match="has features of other images"):
        featurize.featurize(
            context, job, Manifest.read(RunFolder(job.output).manifest), context.accumulator(0)
        )


def test_a_file_of_something_else_among_the_features_fails_the_job(
    spark: SparkSession,
    model_uri: str,
    bad_folder: tuple[Path, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(bad_folder[0] / "odd" / "plain.jpg", tmp_path / "images" / "1.jpg")
    job = FeaturizeJob(images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run")
    run(spark, job)
    foreign = tmp_path / "run" / "features" / "part-of-another-run.parquet"
    shutil.copy(next((tmp_path / "run" / "features").iterdir()), foreign)
    monkeypatch.setattr(featurize, "delete_folder", lambda uri: None)
    with pytest.raises(OrchardError, match=r"2 files in .*, of which 1 are this job's"):
        run(spark, job)


def test_of_many_images_those_with_the_lowest_hashes_have_a_thumbnail(
    spark: SparkSession, model_uri: str, bad_folder: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    images = tmp_path / "images" / "a"
    images.mkdir(parents=True)
    for number in range(40):
        shutil.copy(bad_folder[0] / "odd" / "plain.jpg", images / f"{number}.jpg")
    listed = 3 * THUMBNAILS
    job = FeaturizeJob(
        images=f"file://{tmp_path}/images", model=model_uri, output=f"file://{tmp_path}/run", listed=listed
    )
    rows = run(spark, job)
    shown = {row["path"] for row in rows if row["thumbnail"]}
    assert shown == {row["path"] for row in rows if hash_path(str(row["path"])) < 2**64 // 3}
    assert 3 < len(shown) < 25


def test_an_image_has_the_same_bits_at_any_place_of_any_batch(model_uri: str) -> None:
    job = FeaturizeJob(images="", model=model_uri, output="")
    model = load_model(model_uri, job.runtime, job.precision, 8)
    pixels = np.random.default_rng(0).integers(0, 256, (11, 224, 224, 3), np.uint8)
    whole = model.features(pixels)
    for size in (1, 2, 7, 8):
        parts = [model.features(pixels[start : start + size]) for start in range(0, 11, size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert model.features(pixels[::-1]).tobytes() == whole[::-1].tobytes()
