"""Functions that several tests of decoding share."""

import io

import numpy as np
from PIL import Image

from orchard_jobs.contract import Decoding, Status
from orchard_jobs.images import decode
from orchard_jobs.images.decode import Decoded, Rejected, decode_image
from tests.support.bad_images import BadImage

REJECTIONS = {Status.EMPTY, Status.NOT_AN_IMAGE, Status.CORRUPT, Status.TOO_LARGE}
TOLERANCE = 5  # of 255: JPEG, and the rounding of composites


def by_path(case: BadImage) -> str:
    return case.path


def decoded(data: bytes) -> Decoded:
    outcome = decode_image(data)
    assert isinstance(outcome, Decoded), outcome
    return outcome


def decoded_scaled(data: bytes) -> Decoded:
    outcome = decode_image(data, decoding=Decoding.SCALED)
    assert isinstance(outcome, Decoded), outcome
    return outcome


def load_as_keras_does(data: bytes) -> np.ndarray:
    """The PIL calls of ``keras.utils.load_img(target_size=(224, 224), interpolation="bicubic")``."""
    image = Image.open(io.BytesIO(data))
    return np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))


def assert_readable(rejected: Rejected) -> None:
    assert rejected.status in REJECTIONS
    assert rejected.error.isprintable()
    assert 0 < len(rejected.error) <= decode.MAX_ERROR_LENGTH
