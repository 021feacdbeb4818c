"""Small pictures for people, made on the way; and features of before there were any."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from orchard_jobs.images.thumbnail import build_thumbnail
from tests.support.jobs.feature_rows import make_rows, reduce_run, write_features
from tests.support.jobs.nights import K, Nights, results


def decoded(thumbnail: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(thumbnail), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB"), dtype=int)


@pytest.mark.parametrize("size", [224, 96, 160, 100, 33])
def test_a_thumbnail_is_the_picture_in_small(size: int) -> None:
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[:, : size // 2] = (200, 30, 30)
    pixels[:, size // 2 :] = (30, 30, 200)
    small = decoded(build_thumbnail(pixels))
    assert small.shape == (32, 32, 3)
    assert np.abs(small[:, :12] - (200, 30, 30)).mean() < 12
    assert np.abs(small[:, 20:] - (30, 30, 200)).mean() < 12


def test_the_same_pixels_have_the_same_thumbnail_and_stay_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    before = pixels.copy()
    pixels.setflags(write=False)
    assert build_thumbnail(pixels) == build_thumbnail(pixels)
    np.testing.assert_array_equal(pixels, before)


def test_a_thumbnail_of_noise_is_no_larger_than_what_the_report_takes() -> None:
    pixels = np.repeat(
        np.repeat(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), 7, 0), 7, 1
    )
    assert len(build_thumbnail(pixels)) < 2048


def without_thumbnails(spark: SparkSession, run: Path) -> None:
    """Make a run's features what they were before there were thumbnails."""
    old = spark.read.parquet(f"file://{run}/features").drop("thumbnail")
    old.write.parquet(f"file://{run}/older")
    (run / "features").rename(run / "newer")
    (run / "older").rename(run / "features")


def test_nights_after_features_without_thumbnails_give_what_they_gave(
    spark: SparkSession, tmp_path: Path
) -> None:
    nights = Nights(spark, tmp_path / "lake")
    nights.prepare("first", make_rows("abcdefghij", 1))
    without_thumbnails(spark, nights.path(0))
    nights.refit()
    nights.prepare("second", make_rows("klmnb", 2), deleted="c")
    nights.refit()
    at_once = nights.at_once("at-once", components=K, signs_like=nights.folder(0).basis)
    assert results(nights.path(1)) == results(at_once)
    nights.prepare("third", make_rows("o", 3))
    nights.reuse()


def test_features_with_and_without_thumbnails_are_reduced_together_by_hand(
    spark: SparkSession, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_features(spark, first, make_rows("abcdef", 1))
    without_thumbnails(spark, first)
    write_features(spark, second, make_rows("fgh", 2))
    reduce_run(spark, first, components=2)
    components, _ = reduce_run(spark, second, first, components=2)
    assert sorted(components) == list("abcdefgh")
