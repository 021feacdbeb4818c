"""Any bytes become pixels or a reason: colours, orientation, frames, limits, and nothing ever raised."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from orchard_jobs.contract import DamagedImages, Decoding, Status
from orchard_jobs.images import decode, encoded
from orchard_jobs.images.decode import Decoded, Rejected, decode_image
from tests.support import image_encoders as make
from tests.support.bad_images import (
    BROKEN,
    CASES,
    IGNORED,
    MENDED,
    ODD,
    RED,
    VANISHING,
    BadImage,
    write_folder,
)
from tests.support.checkout import ROOT

REAL_IMAGES = ROOT.parent / "shared" / "data" / "fruits360-60.tar"
REJECTIONS = {Status.EMPTY, Status.NOT_AN_IMAGE, Status.CORRUPT, Status.TOO_LARGE}
TOLERANCE = 5  # of 255: JPEG, and the rounding of composites

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # it remarks on malformed metadata


def by_path(case: BadImage) -> str:
    return case.path


def decoded(data: bytes) -> Decoded:
    outcome = decode_image(data)
    assert isinstance(outcome, Decoded), outcome
    return outcome


def load_as_keras_does(data: bytes) -> np.ndarray:
    """The PIL calls of ``keras.utils.load_img(target_size=(224, 224), interpolation="bicubic")``."""
    image = Image.open(io.BytesIO(data))
    return np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("case", ODD, ids=by_path)
def test_an_odd_but_sound_image_decodes_to_its_colours(case: BadImage) -> None:
    image = decoded(case.data())

    quadrants = image.pixels[56::112, 56::112].astype(int).reshape(4, 3)
    assert np.abs(quadrants - case.colours).max() <= TOLERANCE, quadrants.tolist()
    assert (image.width, image.height) == case.size
    assert image.pixels.shape == (224, 224, 3)
    assert image.pixels.dtype == np.uint8


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


def assert_readable(rejected: Rejected) -> None:
    assert rejected.status in REJECTIONS
    assert rejected.error.isprintable()
    assert 0 < len(rejected.error) <= decode.MAX_ERROR_LENGTH


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


def test_what_follows_the_end_of_a_photograph_counts_for_nothing() -> None:
    """Some telephones put a film there."""
    assert isinstance(decode_image(make.jpeg() + b"\xff\xda film" * 1000), Decoded)


def test_an_image_for_which_there_was_no_memory_is_one_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode, "_to_rgb", run_out)

    assert decode_image(make.jpeg()) == Rejected(
        Status.UNREADABLE, "there was not enough memory for this JPEG"
    )


def test_a_large_image_is_decoded_and_the_lock_released() -> None:
    large = make.all_red("PNG", 4096, 1025)

    for _ in range(2):
        assert (decoded(large).pixels == RED).all()


def photograph(size: tuple[int, int], **options: Any) -> bytes:
    """A JPEG with gradients and an edge: neither flat nor all noise."""
    across, down = np.linspace(0, 255, size[0]), np.linspace(255, 0, size[1])
    grid = np.stack(np.broadcast_arrays(across, down[:, None], (across > 128) * 200.0), axis=-1)
    return make.encode(Image.fromarray(grid.astype(np.uint8)), "JPEG", quality=90, **options)


def decoded_scaled(data: bytes) -> Decoded:
    outcome = decode_image(data, decoding=Decoding.SCALED)
    assert isinstance(outcome, Decoded), outcome
    return outcome


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


def test_twelve_bits_in_a_tiff_are_scaled_from_twelve() -> None:
    data = make.grey_12_bit_tiff()

    quadrants = decoded(data).pixels[56::112, 56::112, 0].ravel().tolist()

    assert quadrants == [0, 255, 128, 64]


def test_a_transparent_grey_in_a_16_bit_png_is_white() -> None:
    assert decoded(make.grey_16_bit_transparent_png()).pixels[168, 56].tolist() == [255, 255, 255]


def test_an_error_message_is_one_short_printable_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ValueError("line\r\nbreak \x1b[31m\x00 " + "long " * 99)

    monkeypatch.setattr(decode, "_to_rgb", fail)

    outcome = decode_image(make.jpeg())

    assert isinstance(outcome, Rejected)
    assert outcome.error.startswith("JPEG: line break [31m long long")
    assert_readable(outcome)


def test_the_size_is_a_parameter() -> None:
    outcome = decode_image(make.jpeg(), size=96)

    assert isinstance(outcome, Decoded)
    assert outcome.pixels.shape == (96, 96, 3)


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
