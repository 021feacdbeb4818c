"""Bytes of one image file → 224x224 RGB pixels, or a reason why not.

The files are untrusted: only a closed list of raster formats is opened, sizes are checked before any
pixel is decoded, and whatever is wrong with a file becomes a ``Rejected``, never an exception.

For a plain RGB image the pixels are those of Keras's ``load_img(target_size=(224, 224),
interpolation="bicubic")``. What Keras leaves to Pillow's defaults, or gets wrong, is decided here:

- transparency is composited on white, the background of Fruits-360;
- 16-bit samples are scaled to 8 bits, not clipped; 32-bit integers and floats, for which no format says
  what white is, are stretched so that the darkest becomes 0 and the brightest 255;
- CMYK JPEGs are inverted if and only if they carry Adobe's marker, as libjpeg advises;
- EXIF orientation is applied; EXIF that cannot be read is ignored;
- of several frames, the first counts;
- colour profiles are ignored, as Keras does.

A file that is damaged is rejected, also where its decoder only warns, and makes up the pixels that are not
there. ``DamagedImages.ACCEPT`` takes these.

``Decoding.SCALED`` lets libjpeg decode a large JPEG to fewer pixels, from which the same bicubic filter makes
those for the model. docs/explanation/performance.md says how much faster that is, and how far the features
move.
"""

import io
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]
from PIL import ExifTags, Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from orchard_jobs.contract import DamagedImages, Decoding, Status
from orchard_jobs.images.encoded import (
    FORMATS,
    find_damage,
    find_damaged_png_pixels,
    find_excess,
    sniff_format,
    strip_png_metadata,
)

MAX_ENCODED_BYTES = 64 * 2**20
"""Largest file, in bytes: many are held at once (``--concurrent-reads``), and a photograph of
MAX_PIXELS takes a third of it. featurize refuses larger ones unread."""

MAX_PIXELS = 2**26
"""Largest width x height: above any camera in a field. Pillow takes four bytes a pixel, 256 MiB here, and
converting as much again. Of a JPEG, simplejpeg's three are there, too, while they are copied; an animated
WebP of that size was seen to take 1 GiB."""

MAX_SECONDS = 60
"""CPU time of one image. The largest takes a few seconds."""

SCALED_SIZES = 6
"""How many times the model's width and height an image that is decoded with SCALED keeps at least. libjpeg
halves, quarters or eighths: with 224 x 224, an image is halved if its shorter side has 2,688 pixels or more.
With four times, features of 3 of 16 noisy photographs of 24 megapixels had a cosine below 0.999 to the exact
ones; with six times, of none."""

MAX_ERROR_LENGTH = 200
"""Longest message, in characters."""

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image, ready for the model.

    Args:
        pixels: uint8 RGB, shape (size, size, 3), read-only.
        width: Of the stored image (its first frame), in pixels, before EXIF orientation.
        height: Likewise.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True)
class Rejected:
    """Why there are no pixels.

    Args:
        status: Any but OK.
        error: One line of printable characters, at most MAX_ERROR_LENGTH.
    """

    status: Status
    error: str


def decode_image(
    data: bytes,
    size: int = 224,
    decoding: Decoding = Decoding.EXACT,
    damaged_images: DamagedImages = DamagedImages.REJECT,
) -> Decoded | Rejected:
    """Decode one image file and resize it to ``size`` x ``size``; raises for no bytes whatever."""
    kind = sniff_format(data)
    if kind is None or len(data) > MAX_ENCODED_BYTES:
        return _reject_unopened(data)
    if excess := find_excess(data, kind):
        return Rejected(Status.TOO_LARGE, excess)
    ways = _Ways(size, decoding, strict=damaged_images is DamagedImages.REJECT)
    if ways.strict and (damage := find_damage(data, kind)):
        return Rejected(Status.CORRUPT, _one_line(f"{kind}: {damage}"))
    outcome = _decode_within_limits(data, kind, ways)
    if kind == "PNG" and isinstance(outcome, Rejected) and outcome.status is Status.CORRUPT:
        # Metadata must not cost a good picture, and Pillow refuses a whole PNG for one text of a megabyte.
        pixels = strip_png_metadata(data)
        return _decode_within_limits(pixels, kind, ways) if pixels != data else outcome
    return outcome


@dataclass(frozen=True)
class _Ways:
    """How an image is to be decoded; see ``decode_image``."""

    size: int
    decoding: Decoding
    strict: bool


def _decode_within_limits(data: bytes, kind: str, ways: _Ways) -> Decoded | Rejected:
    try:
        with _cpu_limit(), Image.open(io.BytesIO(data), formats=(kind,)) as image:
            return _decode_opened(image, data, ways)
    except _TooSlowError:
        return Rejected(Status.TOO_LARGE, f"this {kind} takes more than {MAX_SECONDS} s to decode")
    except Exception as error:  # decoders raise nearly everything for damaged files
        return _reject_damaged(error, kind)


class _TooSlowError(BaseException):
    """No Exception: neither Pillow nor we are to take it for something that is wrong with metadata."""


@contextmanager
def _cpu_limit() -> Iterator[None]:
    """End what takes more CPU time than MAX_SECONDS: it is not the clock that counts, which others hold up.

    Signals reach the main thread alone, in which Spark's workers work.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPROF, _raise_too_slow)
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _raise_too_slow(*_: object) -> NoReturn:
    raise _TooSlowError


def _reject_unopened(data: bytes) -> Rejected:
    if not data:
        return Rejected(Status.EMPTY, "the file has no bytes")
    if len(data) > MAX_ENCODED_BYTES:
        return Rejected(Status.TOO_LARGE, f"{len(data)} bytes; the limit is {MAX_ENCODED_BYTES}")
    return Rejected(Status.NOT_AN_IMAGE, f"begins with {data[:12]!r}; known are {', '.join(FORMATS)}")


def _reject_damaged(error: Exception, kind: str) -> Rejected:
    if isinstance(error, Image.DecompressionBombError):
        return Rejected(Status.TOO_LARGE, f"this {kind} has more pixels than the limit of {MAX_PIXELS}")
    if isinstance(error, MemoryError):
        return Rejected(Status.UNREADABLE, f"there was not enough memory for this {kind}")
    if isinstance(error, UnidentifiedImageError):
        # Pillow's message names the address of a buffer, and hides the plugin's reason.
        return Rejected(Status.CORRUPT, f"begins as {kind}, but its header is damaged or of an unknown kind")
    return Rejected(Status.CORRUPT, _one_line(f"{kind}: {str(error) or type(error).__name__}"))


def _decode_opened(image: Image.Image, data: bytes, ways: _Ways) -> Decoded | Rejected:
    width, height = _stored_size(image)
    pixels = max(width * height, _tile_pixels(image))
    if pixels > MAX_PIXELS:
        return Rejected(
            Status.TOO_LARGE, f"{width} x {height} takes {pixels} pixels; the limit is {MAX_PIXELS}"
        )
    upright = _apply_orientation(_to_rgb(_load(image, data, ways)), image)
    resized = upright.resize((ways.size, ways.size), Image.Resampling.BICUBIC)
    return Decoded(np.asarray(resized), width, height)


def _load(image: Image.Image, data: bytes, ways: _Ways) -> Image.Image:
    """Return an image with its pixels.

    Raises:
        ValueError: for damage that is not to be passed over.
    """
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        if ways.decoding is Decoding.SCALED:
            image.draft(None, (SCALED_SIZES * ways.size, SCALED_SIZES * ways.size))
        return _load_jpeg(image, data, ways.strict)
    if ways.strict and image.format == "PNG" and (damage := find_damaged_png_pixels(data)):
        raise ValueError(damage)
    image.load()
    return image


def _load_jpeg(image: Image.Image, data: bytes, strict: bool) -> Image.Image:
    """Decode by simplejpeg, which tells what libjpeg warns of; Pillow, with the same pixels, is silent.

    Raises:
        ValueError: for what libjpeg cannot decode, and where ``strict`` for what it warns of.
    """
    width, height = image.size
    colours = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}[image.mode]
    pixels = simplejpeg.decode_jpeg(
        data, colours, fastdct=False, fastupsample=False, min_width=width, min_height=height, strict=strict
    )
    if colours == "CMYK" and "adobe" in image.info:
        pixels = 255 - pixels
    return Image.fromarray(pixels[..., 0] if colours == "GRAY" else pixels, image.mode)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height; Pillow's TIFF reader, alone, swaps them by orientation before loading."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(image.tag_v2[TiffImagePlugin.IMAGEWIDTH]), int(image.tag_v2[TiffImagePlugin.IMAGELENGTH])
    return image.size


def _tile_pixels(image: Image.Image) -> int:
    """Pixels of one TIFF tile, which is allocated whole, also where it exceeds the image."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 0
    return int(image.tag_v2.get(ExifTags.Base.TileWidth, 0)) * int(
        image.tag_v2.get(ExifTags.Base.TileLength, 0)
    )


def _apply_orientation(pixels: Image.Image, image: Image.Image) -> Image.Image:
    """Turn ``pixels`` upright by the EXIF of ``image``; unreadable EXIF says nothing."""
    try:
        method = _TRANSPOSE.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # metadata must not cost a good picture
        return pixels
    return pixels if method is None else pixels.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that Pillow loads → RGB, by the rules at the top; an RGB image is not copied."""
    if image.mode.startswith("I;16"):
        return _scale_16_bits(image).convert("RGB")
    if image.mode in ("I", "F"):
        return _stretch(image).convert("RGB")
    if image.has_transparency_data:
        return _composite_on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _composite_on_white(image: Image.Image) -> Image.Image:
    colours = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=colours)
    return white


def _scale_16_bits(image: Image.Image) -> Image.Image:
    """The upper byte of 16 bits, as Pillow itself does for 16-bit RGB, or of a TIFF's 12."""
    values = np.asarray(image)
    bits = 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
        if image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:  # white is zero
            values = (1 << bits) - 1 - values
    elif "transparency" in image.info:  # PNG: this one grey stands for "nothing here"
        values = np.where(values == image.info["transparency"], 0xFFFF, values)
    return Image.fromarray((values >> (bits - 8)).astype(np.uint8))


def _stretch(image: Image.Image) -> Image.Image:
    """The darkest finite value → 0, the brightest → 255; NaN → 0; one value throughout → 0."""
    values = np.array(image, dtype=np.float64)
    finite = np.isfinite(values)
    low = float(values.min(where=finite, initial=np.inf))
    high = float(values.max(where=finite, initial=-np.inf))
    if not low < high:
        return Image.new("L", image.size)
    np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
    values -= low
    values *= 255 / (high - low)
    return Image.fromarray(values.round(out=values).astype(np.uint8))


def _one_line(message: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in message)
    return " ".join(printable.split())[:MAX_ERROR_LENGTH]
