"""An image that kills its decoder costs itself, and nothing else: here processes really die."""

import os
import signal

from orchard_jobs.contract import Status
from orchard_jobs.images.decode import Decoded, Rejected, decode_image
from orchard_jobs.images.isolation import IsolatedDecoder
from tests.support import image_encoders as make


def crash_or_decode(data: bytes) -> Decoded | Rejected:
    if data.startswith(b"kill"):
        os.kill(os.getpid(), signal.SIGKILL if data.endswith(b"9") else signal.SIGSEGV)
    if data.startswith(b"hog"):
        bytearray(2**40)
    return decode_image(data)


def test_an_image_that_crashes_its_decoder_is_rejected_and_the_next_one_decoded() -> None:
    sound = make.jpeg()
    with IsolatedDecoder(crash_or_decode) as decode:
        outcomes = [decode(data) for data in (sound, b"kill 11", b"kill 9", sound, b"junk")]
    statuses = [outcome.status if isinstance(outcome, Rejected) else Status.OK for outcome in outcomes]
    crashed = Status.CRASHED_DECODER
    assert statuses == [Status.OK, crashed, crashed, Status.OK, Status.NOT_AN_IMAGE]


def test_it_decodes_the_same_pixels() -> None:
    with IsolatedDecoder(decode_image) as decode:
        outcome = decode(make.good(1))
    assert isinstance(outcome, Decoded)
    here = decode_image(make.good(1))
    assert isinstance(here, Decoded)
    assert outcome.pixels.tobytes() == here.pixels.tobytes()
    assert (outcome.width, outcome.height) == (here.width, here.height)
