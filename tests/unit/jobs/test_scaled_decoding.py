"""A large JPEG may be decoded at a part of its size; whatever else is the same as ever."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchard_jobs.contract import Decoding, Status
from orchard_jobs.images import decode
from orchard_jobs.images.decode import Decoded, Rejected, decode_image
from tests.support import image_encoders as make
from tests.support.bad_images import (
    ODD,
    BadImage,
)
from tests.support.jobs.decoding import (
    TOLERANCE,
    by_path,
    decoded,
    decoded_scaled,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # it remarks on malformed metadata


def photograph(size: tuple[int, int], **options: Any) -> bytes:
    """A JPEG with gradients and an edge: neither flat nor all noise."""
    across, down = np.linspace(0, 255, size[0]), np.linspace(255, 0, size[1])
    grid = np.stack(np.broadcast_arrays(across, down[:, None], (across > 128) * 200.0), axis=-1)
    return make.encode(Image.fromarray(grid.astype(np.uint8)), "JPEG", quality=90, **options)


@pytest.mark.parametrize(
    ("size", "read"),
    [((2688, 2688), (1344, 1344)), ((4000, 3000), (2000, 1500)), ((6000, 4000), (3000, 2000))],
)
def test_a_scaled_photograph_keeps_six_times_the_models_size_at_least(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], read: tuple[int, int]
) -> None:
    loaded: list[tuple[int, int]] = []
    to_rgb = decode._to_rgb

    def note_size(image: Image.Image) -> Image.Image:
        loaded.append(image.size)
        return to_rgb(image)

    monkeypatch.setattr(decode, "_to_rgb", note_size)
    data = photograph(size)

    scaled, exact = decoded_scaled(data), decoded(data)

    assert loaded == [read, size]
    assert (scaled.width, scaled.height) == size
    apart = np.abs(scaled.pixels.astype(int) - exact.pixels)
    assert apart.mean() < 0.5
    assert apart.max() <= 16  # at the edge


@pytest.mark.parametrize(
    "data",
    [photograph((2304, 1728)), make.all_red("PNG", 2000, 2000), make.jpeg()],
    ids=["4 MP", "PNG", "small"],
)
def test_anything_but_a_large_jpeg_has_the_same_pixels_scaled(data: bytes) -> None:
    np.testing.assert_array_equal(decoded_scaled(data).pixels, decoded(data).pixels)


@pytest.mark.parametrize("case", ODD, ids=by_path)
def test_an_odd_image_has_its_colours_scaled_too(monkeypatch: pytest.MonkeyPatch, case: BadImage) -> None:
    monkeypatch.setattr(decode, "SCALED_SIZES", 1)  # and a small model: 64 x 48 is halved twice
    outcome = decode_image(case.data(), size=8, decoding=Decoding.SCALED)

    assert isinstance(outcome, Decoded), outcome
    quadrants = outcome.pixels[2::4, 2::4].astype(int).reshape(4, 3)
    assert np.abs(quadrants - case.colours).max() <= 2 * TOLERANCE, quadrants.tolist()
    assert (outcome.width, outcome.height) == case.size


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_scaled_photograph_is_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[make.ORIENTATION] = orientation
    data = photograph((3600, 2700), exif=exif)

    scaled = decoded_scaled(data)

    assert np.abs(scaled.pixels.astype(int) - decoded(data).pixels).mean() < 0.5
    assert (scaled.width, scaled.height) == (3600, 2700)


@pytest.mark.parametrize("decoding", Decoding)
def test_a_photograph_that_is_cut_off_is_corrupt_scaled_or_not(decoding: Decoding) -> None:
    whole = photograph((3600, 2700))

    outcome = decode_image(whole[: len(whole) // 2], decoding=decoding)

    assert isinstance(outcome, Rejected)
    assert outcome.status == Status.CORRUPT


def test_scaling_raises_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_PIXELS", 3600 * 2700 - 1)

    outcome = decode_image(photograph((3600, 2700)), decoding=Decoding.SCALED)

    assert outcome == Rejected(Status.TOO_LARGE, "3600 x 2700 takes 9720000 pixels; the limit is 9719999")
