"""Any bytes become pixels or a reason: nothing is raised, nothing is endless, and no half image passes."""

import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from orchard_jobs.contract import DamagedImages, Status
from orchard_jobs.images import decode, encoded
from orchard_jobs.images.decode import Decoded, Rejected, decode_image
from tests.support import image_encoders as make
from tests.support.bad_images import (
    BROKEN,
    CASES,
    IGNORED,
    MENDED,
    ODD,
    VANISHING,
    BadImage,
    write_folder,
)
from tests.support.jobs.decoding import (
    REJECTIONS,
    assert_readable,
    by_path,
    decoded,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # it remarks on malformed metadata


@pytest.mark.parametrize("case", BROKEN, ids=by_path)
def test_a_broken_image_is_rejected_with_its_reason(case: BadImage) -> None:
    outcome = decode_image(case.data())

    assert isinstance(outcome, Rejected)
    assert outcome.status == case.expected
    assert_readable(outcome)


@pytest.mark.parametrize("name", MENDED)
def test_what_a_decoder_makes_up_counts_only_where_it_is_asked_for(name: str) -> None:
    data = MENDED[name](make)
    assert isinstance(decode_image(data, damaged_images=DamagedImages.REJECT), Rejected)
    assert isinstance(decode_image(data, damaged_images=DamagedImages.ACCEPT), Decoded)


@pytest.mark.parametrize(
    "whole",
    [
        make.jpeg(),
        make.jpeg(progressive=True),
        make.rgb("PNG"),
        make.palette("GIF"),
        make.rgb("WEBP"),
        make.rgb("BMP"),
        make.rgb("TIFF"),
        make.rgb("TIFF", compression="tiff_lzw"),
        make.cmyk_adobe_jpeg(),
    ],
    ids=["jpeg", "progressive", "png", "gif", "webp", "bmp", "tiff", "tiff lzw", "cmyk"],
)
def test_a_truncated_file_never_passes_with_other_pixels(whole: bytes) -> None:
    expected = decoded(whole).pixels
    for length in sorted(
        {*range(0, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 12, len(whole))}
    ):
        outcome = decode_image(whole[:length])
        if isinstance(outcome, Decoded):  # only what follows the pixels was cut
            np.testing.assert_array_equal(outcome.pixels, expected, err_msg=f"{length} of {len(whole)}")
        else:
            assert_readable(outcome)


def test_pillow_is_never_told_to_fill_in_truncated_images() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_file_above_the_byte_limit_is_refused_unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make.jpeg()
    monkeypatch.setattr(decode, "MAX_ENCODED_BYTES", len(data) - 1)

    assert decode_image(data) == Rejected(
        Status.TOO_LARGE, f"{len(data)} bytes; the limit is {len(data) - 1}"
    )


def test_too_many_pixels_are_refused_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("pixels were decoded"))

    outcome = decode_image(make.bomb_png(8200, 8192))

    assert outcome == Rejected(Status.TOO_LARGE, "8200 x 8192 takes 67174400 pixels; the limit is 67108864")


def test_an_image_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_SECONDS", 0.02)
    outcome = decode_image(make.all_red("PNG", 6000, 6000))
    assert outcome == Rejected(Status.TOO_LARGE, "this PNG takes more than 0.02 s to decode")
    monkeypatch.undo()
    assert isinstance(decode_image(make.jpeg()), Decoded)


def test_as_many_scans_as_encoders_make_are_decoded() -> None:
    data = make.jpeg_with_scans(20)
    assert isinstance(decode_image(data, damaged_images=DamagedImages.ACCEPT), Decoded)


def test_an_image_for_which_there_was_no_memory_is_one_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode, "_to_rgb", run_out)

    assert decode_image(make.jpeg()) == Rejected(
        Status.UNREADABLE, "there was not enough memory for this JPEG"
    )


def test_an_error_message_is_one_short_printable_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ValueError("line\r\nbreak \x1b[31m\x00 " + "long " * 99)

    monkeypatch.setattr(decode, "_to_rgb", fail)

    outcome = decode_image(make.jpeg())

    assert isinstance(outcome, Rejected)
    assert outcome.error.startswith("JPEG: line break [31m long long")
    assert_readable(outcome)


def test_the_folder_of_bad_images_holds_what_its_table_says(tmp_path: Path) -> None:
    expected = write_folder(tmp_path, good=6)

    assert len(expected) == len(CASES) + 6 + 3  # the good ones, and those in special/
    assert expected[VANISHING] == Status.MISSING
    for path, outcome in expected.items():
        if outcome in REJECTIONS | {Status.OK}:
            decoded_as = decode_image((tmp_path / path).read_bytes())
            assert (Status.OK if isinstance(decoded_as, Decoded) else decoded_as.status) == outcome, path
        else:
            assert outcome in {IGNORED, Status.MISSING, Status.UNREADABLE}


def test_the_bad_names_can_be_laid_out_without_pillow_and_numpy(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["PIL", "numpy"]))  # importing them fails
sys.path[:] = {sys.path!r}
from pathlib import Path
from tests.support.bad_images import write_folder
write_folder(Path({str(tmp_path)!r}), real=False)
"""
    subprocess.run([sys.executable, "-c", code], check=True)

    assert (tmp_path / "names/new\nline.jpg").is_file()
    assert (tmp_path / "broken/zero bytes.jpg").stat().st_size == 0


def assert_decoded_or_rejected(data: bytes) -> None:
    outcome = decode_image(data)
    if isinstance(outcome, Rejected):
        assert_readable(outcome)
    else:
        assert outcome.pixels.shape == (224, 224, 3)
        assert outcome.pixels.dtype == np.uint8
        assert min(outcome.width, outcome.height) >= 1


SIGNATURES = [signature for signature, _ in encoded._SIGNATURES] + [
    b"",
    b"RIFF\x40\0\0\0WEBPVP8X",
    b"BM" + bytes(12) + b"\x28\0\0\0",
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=400))
def test_random_bytes_raise_nothing(signature: bytes, rest: bytes) -> None:
    assert_decoded_or_rejected(signature + rest)


MUTABLE = [data for data in (case.data() for case in ODD) if len(data) < 30_000]


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_images_raise_nothing(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(MUTABLE), label="image"))
    reach = st.one_of(st.integers(0, min(len(whole), 200) - 1), st.integers(0, len(whole) - 1))
    for position, value in data.draw(
        st.lists(st.tuples(reach, st.integers(0, 255)), max_size=8), label="damage"
    ):
        whole[position] = value
    length = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))), label="length")
    assert_decoded_or_rejected(bytes(whole[:length]))


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
