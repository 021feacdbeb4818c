"""Ten thousand files of each format that are sound but for a few bytes: what libjpeg warns of never counts.

The seeds are fixed, so a file that is found here is found again.
"""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from orchard_jobs.contract import Status
from orchard_jobs.images.decode import Decoded, decode_image
from tests.support import image_encoders as make

FILES = 10_000
SOUND = {
    "JPEG": [make.good(0), make.jpeg(progressive=True), make.grey_jpeg(), make.cmyk_adobe_jpeg(), make.mpo()],
    "PNG": [make.rgb("PNG"), make.palette("PNG"), make.interlaced_png(20, 30), make.animated("PNG")],
    "GIF": [make.palette("GIF"), make.animated("GIF")],
    "WEBP": [make.rgb("WEBP"), make.rgb("WEBP", lossless=True), make.animated("WEBP")],
    "BMP": [make.rgb("BMP"), make.palette("BMP")],
    "TIFF": [
        make.rgb("TIFF"),
        make.rgb("TIFF", compression="tiff_lzw"),
        make.rgb("TIFF", compression="jpeg"),
        make.float_tiff(),
        make.one_bit("TIFF", compression="group4"),
    ],
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # it remarks on malformed metadata


@pytest.mark.parametrize("kind", SOUND)
def test_a_mutated_file_is_decoded_or_rejected(kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    counts: Counter[Status] = Counter()
    for number in range(FILES):
        outcome = decode_image(mutate(SOUND[kind][number % len(SOUND[kind])], rng))
        counts[Status.OK if isinstance(outcome, Decoded) else outcome.status] += 1
    assert set(counts) <= {
        Status.OK,
        Status.CORRUPT,
        Status.NOT_AN_IMAGE,
        Status.TOO_LARGE,
        Status.UNREADABLE,
    }
    assert counts[Status.OK] > 0  # a byte of metadata costs nothing
    assert counts[Status.CORRUPT] > 0


def mutate(sound: bytes, rng: np.random.Generator) -> bytes:
    """Change, swap, cut out or repeat a few bytes, or cut the file off."""
    data = bytearray(sound)
    for _ in range(rng.integers(1, 4)):
        place, length = int(rng.integers(len(data))), int(rng.integers(1, 30))
        match rng.integers(9):
            case 0 | 1 | 2:
                data[place] ^= 1 << int(rng.integers(8))
            case 3 | 4:
                data[place : place + length] = rng.bytes(length)
            case 5:
                del data[place : place + length]
            case 6 | 7:
                data[place:place] = data[place : place + length]
            case _:
                return bytes(data[:place]) or sound
    return bytes(data)


def test_an_undamaged_file_of_each_kind_is_sound() -> None:
    for files in SOUND.values():
        for data in files:
            assert isinstance(decode_image(data), Decoded), Image.open(io.BytesIO(data))
