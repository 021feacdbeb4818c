"""Photographs for the benchmark are generated from small images: large, all different, and reproducible."""

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.photographs import MEGAPIXELS, build_photographs, compute_cosines
from tests.support import image_encoders as make


def test_photographs_have_their_size_and_are_the_same_every_time(tmp_path: Path) -> None:
    images = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, path in enumerate(images):
        path.write_bytes(make.good(number))

    first, again = (build_photographs(images, 1, 3, tmp_path / folder) for folder in ("first", "again"))

    contents = [path.read_bytes() for path in first]
    assert contents == [path.read_bytes() for path in again]
    assert len(set(contents)) == 3
    for path in first:
        with Image.open(path) as photograph:
            assert (photograph.format, photograph.size) == ("JPEG", MEGAPIXELS[1])


def test_cosines_are_of_each_row() -> None:
    one = np.array([[1, 0], [3, 4]], np.float32)
    other = np.array([[2, 0], [4, 3]], np.float32)
    assert compute_cosines(one, other).tolist() == [1, 0.96]
