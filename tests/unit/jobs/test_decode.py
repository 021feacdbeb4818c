"""A sound image has the pixels that Keras loads, whatever its colours, orientation and frames are."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from orchard_jobs.images import decode
from orchard_jobs.images.decode import Decoded, decode_image
from tests.support import image_encoders as make
from tests.support.bad_images import (
    ODD,
    RED,
    BadImage,
)
from tests.support.checkout import ROOT
from tests.support.jobs.decoding import (
    TOLERANCE,
    by_path,
    decoded,
    decoded_scaled,
    load_as_keras_does,
)

REAL_IMAGES = ROOT.parent / "shared" / "data" / "fruits360-60.tar"

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # it remarks on malformed metadata


@pytest.mark.parametrize("case", ODD, ids=by_path)
def test_an_odd_but_sound_image_decodes_to_its_colours(case: BadImage) -> None:
    image = decoded(case.data())

    quadrants = image.pixels[56::112, 56::112].astype(int).reshape(4, 3)
    assert np.abs(quadrants - case.colours).max() <= TOLERANCE, quadrants.tolist()
    assert (image.width, image.height) == case.size
    assert image.pixels.shape == (224, 224, 3)
    assert image.pixels.dtype == np.uint8


SUBSAMPLINGS = st.sampled_from([{"keep_rgb": True}, *({"subsampling": number} for number in range(3))])


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    mode=st.sampled_from(["RGB", "L", "CMYK"]),
    quality=st.integers(1, 100),
    progressive=st.booleans(),
    subsampling=SUBSAMPLINGS,
    draft=st.sampled_from([None, (8, 8), (20, 20)]),
)
def test_a_sound_jpeg_has_the_pixels_that_pillow_decodes(
    size: tuple[int, int],
    mode: str,
    quality: int,
    progressive: bool,
    subsampling: dict[str, Any],
    draft: tuple[int, int] | None,
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, Image.getmodebands(mode)), np.uint8)
    image = Image.fromarray(noise.squeeze(2) if mode == "L" else noise, mode)
    options = subsampling if mode == "RGB" else {}
    data = make.encode(image, "JPEG", quality=quality, progressive=progressive, **options)
    ours, pillows = (Image.open(io.BytesIO(data)) for _ in range(2))
    for one in (ours, pillows):
        one.draft(None, draft)

    loaded = decode._load_jpeg(ours, data, strict=True)

    np.testing.assert_array_equal(np.asarray(loaded), np.asarray(pillows))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (17, 9), (100, 100)])
def test_an_interlaced_png_is_sound(size: tuple[int, int]) -> None:
    data = make.interlaced_png(*size)
    np.testing.assert_array_equal(decoded(data).pixels, load_as_keras_does(data))


def test_a_plain_jpeg_decodes_exactly_as_in_keras() -> None:
    for number in range(6):
        data = make.good(number)
        np.testing.assert_array_equal(decoded(data).pixels, load_as_keras_does(data))


def test_keras_itself_loads_the_same_pixels(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not in this environment", exc_type=ImportError)
    path = tmp_path / "plum.jpg"
    path.write_bytes(make.good(2))

    loaded = keras.utils.load_img(path, target_size=(224, 224), interpolation="bicubic")

    np.testing.assert_array_equal(decoded(path.read_bytes()).pixels, keras.utils.img_to_array(loaded))


@pytest.mark.skipif(not REAL_IMAGES.exists(), reason="needs ../shared/data/fruits360-60.tar")
def test_real_images_decode_exactly_as_in_keras() -> None:
    with tarfile.open(REAL_IMAGES) as archive:
        files = (member for member in archive if member.name.endswith(".jpg"))
        for member, _ in zip(files, range(200), strict=False):
            data = archive.extractfile(member).read()  # type: ignore[union-attr]
            image = decoded(data)
            assert (image.width, image.height) == (100, 100)
            np.testing.assert_array_equal(image.pixels, load_as_keras_does(data))
            np.testing.assert_array_equal(image.pixels, decoded_scaled(data).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("build", [make.jpeg_with_orientation, make.tiff_with_orientation])
def test_every_exif_orientation_is_turned_upright_and_the_stored_size_kept(
    build: Callable[[int], bytes], orientation: int
) -> None:
    data = build(orientation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))

    image = decoded(data)

    np.testing.assert_array_equal(
        image.pixels, np.asarray(upright.resize((224, 224), Image.Resampling.BICUBIC))
    )
    assert (image.width, image.height) == (64, 48)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    image = decoded(make.jpeg_with_orientation(orientation))

    np.testing.assert_array_equal(image.pixels, decoded(make.jpeg()).pixels)


def test_what_follows_the_end_of_a_photograph_counts_for_nothing() -> None:
    """Some telephones put a film there."""
    assert isinstance(decode_image(make.jpeg() + b"\xff\xda film" * 1000), Decoded)


def test_a_large_image_is_decoded_and_the_lock_released() -> None:
    large = make.all_red("PNG", 4096, 1025)

    for _ in range(2):
        assert (decoded(large).pixels == RED).all()


def test_twelve_bits_in_a_tiff_are_scaled_from_twelve() -> None:
    data = make.grey_12_bit_tiff()

    quadrants = decoded(data).pixels[56::112, 56::112, 0].ravel().tolist()

    assert quadrants == [0, 255, 128, 64]


def test_a_transparent_grey_in_a_16_bit_png_is_white() -> None:
    assert decoded(make.grey_16_bit_transparent_png()).pixels[168, 56].tolist() == [255, 255, 255]


def test_the_size_is_a_parameter() -> None:
    outcome = decode_image(make.jpeg(), size=96)

    assert isinstance(outcome, Decoded)
    assert outcome.pixels.shape == (96, 96, 3)
