"""The sample images resemble Fruits-360: its layout, reproducible bytes, distinct classes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from local_airflow import sample_images

CLASSES, PER_CLASS = 12, 4


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    sample_images.draw_samples(folder, CLASSES, PER_CLASS)
    return folder


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(path))


def test_folders_and_names_are_those_of_fruits_360(samples: Path) -> None:
    files = sorted(path.relative_to(samples).as_posix() for path in samples.rglob("*.jpg"))

    names = [fruit.name for fruit in sample_images.FRUITS[:CLASSES]]
    assert files == sorted(f"{name}/{number}_100.jpg" for name in names for number in range(PER_CLASS))


def test_class_names_are_unique() -> None:
    assert len({fruit.name for fruit in sample_images.FRUITS}) == len(sample_images.FRUITS) >= CLASSES


def test_every_image_is_a_fruit_on_white(samples: Path) -> None:
    for path in samples.rglob("*.jpg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (100, 100))
        corners = pixels(path)[np.ix_([0, -1], [0, -1])]
        assert corners.min() >= 250, path
        assert (pixels(path).min(axis=2) < 200).mean() > 0.1, path


def test_the_same_arguments_draw_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    command = [sys.executable, sample_images.__file__, str(tmp_path), "--classes", "2", "--per-class", "2"]
    subprocess.run(command, check=True)

    for path in tmp_path.rglob("*.jpg"):
        assert path.read_bytes() == (samples / path.relative_to(tmp_path)).read_bytes()


def test_images_of_a_class_differ(samples: Path) -> None:
    contents = [path.read_bytes() for path in samples.rglob("*.jpg")]
    assert len(set(contents)) == len(contents) == CLASSES * PER_CLASS


def test_a_complete_folder_is_left_alone_and_a_hole_is_filled(samples: Path) -> None:
    hole = samples / sample_images.FRUITS[0].name / "1_100.jpg"
    content = hole.read_bytes()
    hole.unlink()

    assert sample_images.draw_samples(samples, CLASSES, PER_CLASS) == 1
    assert hole.read_bytes() == content
    assert sample_images.draw_samples(samples, CLASSES, PER_CLASS) == 0
    assert not list(samples.rglob(".*"))


def test_the_nearest_image_by_colour_is_mostly_of_the_same_class(samples: Path) -> None:
    paths = sorted(samples.rglob("*.jpg"))
    labels = np.array([path.parent.name for path in paths])
    colours = np.array([colour_histogram(pixels(path)) for path in paths])
    distances = np.abs(colours[:, None] - colours).sum(axis=2)
    np.fill_diagonal(distances, np.inf)

    accuracy = (labels[distances.argmin(axis=1)] == labels).mean()

    assert accuracy >= 0.85  # 0.06 by chance


def colour_histogram(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    histogram, _ = np.histogramdd(image.reshape(-1, 3), bins=6, range=[(0, 256)] * 3)
    return histogram.ravel() / image[..., 0].size
