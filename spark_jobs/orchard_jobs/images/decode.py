"""Decodes the bytes of one image file to 224x224 RGB pixels, or a reason for its rejection.

Files are untrusted: only a closed list of raster formats is opened, sizes are checked before any pixel is
decoded, and any problem with a file becomes a ``Rejected``, never an exception.

For a plain RGB image the pixels are those of Keras's ``load_img(target_size=(224, 224),
interpolation="bicubic")``. Where Keras relies on Pillow's defaults, or is wrong, these rules apply:

- transparency is composited on white, the background of Fruits-360;
- 16-bit samples are scaled to 8 bits, not clipped; 32-bit integers and floats, for which no format defines
  white, are stretched so that the darkest becomes 0 and the brightest 255;
- CMYK JPEGs are inverted if and only if they carry Adobe's marker, as libjpeg advises;
- EXIF orientation is applied; EXIF that cannot be read is ignored;
- only the first of several frames is used;
- colour profiles are ignored, as Keras does.

A damaged file is rejected, even if its decoder only warns and makes up the missing pixels.
``DamagedImages.ACCEPT`` accepts files with such warnings.

With ``Decoding.SCALED``, libjpeg decodes a large JPEG to fewer pixels, from which the same bicubic filter
computes the model's input. See docs/explanation/performance.md for the speed-up, and the effect on features.
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
"""Largest file, in bytes: many are in memory at once (``--concurrent-reads``), and a photograph of MAX_PIXELS
needs a third of it. featurize rejects larger ones without reading them."""

MAX_PIXELS = 2**26
"""Largest width x height, above that of any camera in the field. Pillow needs four bytes per pixel, here
256 MiB, and a conversion as much again. For a JPEG, simplejpeg needs three more while they are copied; an
animated WebP of this size needed 1 GiB."""

MAX_SECONDS = 60
"""Limit of CPU time per image. The largest images take a few seconds."""

SCALED_SIZES = 6
"""With SCALED, a decoded image has at least this many times the model's width and height. libjpeg scales by
1/2, 1/4 or 1/8: for 224 x 224, an image is halved if its shorter side has at least 2,688 pixels. With a
factor of four, the features of 3 of 16 noisy 24-megapixel photographs had a cosine below 0.999 to the exact
ones; with six, none had."""

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
        width: Width of the stored image (its first frame), in pixels, before EXIF orientation.
        height: Height, likewise.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True)
class Rejected:
    """The reason for a rejection.

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
    """Decode one image file and resize it to ``size`` x ``size``; never raises."""
    kind = sniff_format(data)
    if kind is None or len(data) > MAX_ENCODED_BYTES:
        return _reject_unopened(data)
    if excess := find_excess(data, kind):
        return Rejected(Status.TOO_LARGE, excess)
    options = _Options(size, decoding, strict=damaged_images is DamagedImages.REJECT)
    if options.strict and (damage := find_damage(data, kind)):
        return Rejected(Status.CORRUPT, _one_line(f"{kind}: {damage}"))
    outcome = _decode_within_limits(data, kind, options)
    if kind == "PNG" and isinstance(outcome, Rejected) and outcome.status is Status.CORRUPT:
        # Bad metadata must not reject a good image: Pillow rejects a PNG for a single text of a megabyte.
        pixels = strip_png_metadata(data)
        return _decode_within_limits(pixels, kind, options) if pixels != data else outcome
    return outcome


@dataclass(frozen=True)
class _Options:
    """The options of ``decode_image``."""

    size: int
    decoding: Decoding
    strict: bool


def _decode_within_limits(data: bytes, kind: str, options: _Options) -> Decoded | Rejected:
    try:
        with _cpu_limit(), Image.open(io.BytesIO(data), formats=(kind,)) as image:
            return _decode_opened(image, data, options)
    except _TooSlowError:
        return Rejected(Status.TOO_LARGE, f"this {kind} takes more than {MAX_SECONDS} s to decode")
    except Exception as error:  # decoders raise nearly everything for damaged files
        return _reject_damaged(error, kind)


class _TooSlowError(BaseException):
    """Not an Exception, so that neither Pillow nor this module mistakes it for damaged metadata."""


@contextmanager
def _cpu_limit() -> Iterator[None]:
    """Interrupt the block after MAX_SECONDS of CPU time; wall-clock time would depend on other processes.

    Signals only reach the main thread, in which Spark's workers run.
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


def _decode_opened(image: Image.Image, data: bytes, options: _Options) -> Decoded | Rejected:
    width, height = _stored_size(image)
    pixels = max(width * height, _tile_pixels(image))
    if pixels > MAX_PIXELS:
        return Rejected(
            Status.TOO_LARGE, f"{width} x {height} takes {pixels} pixels; the limit is {MAX_PIXELS}"
        )
    upright = _apply_orientation(_to_rgb(_load(image, data, options)), image)
    resized = upright.resize((options.size, options.size), Image.Resampling.BICUBIC)
    return Decoded(np.asarray(resized), width, height)


def _load(image: Image.Image, data: bytes, options: _Options) -> Image.Image:
    """Return an image with its pixels.

    Raises:
        ValueError: for damage that must be rejected.
    """
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        if options.decoding is Decoding.SCALED:
            image.draft(None, (SCALED_SIZES * options.size, SCALED_SIZES * options.size))
        return _load_jpeg(image, data, options.strict)
    if options.strict and image.format == "PNG" and (damage := find_damaged_png_pixels(data)):
        raise ValueError(damage)
    image.load()
    return image


def _load_jpeg(image: Image.Image, data: bytes, strict: bool) -> Image.Image:
    """Decode with simplejpeg, which reports libjpeg's warnings; Pillow gives the same pixels, but hides them.

    Raises:
        ValueError: if libjpeg cannot decode the image, or if ``strict`` and it warns.
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
    """Return width and height. Only Pillow's TIFF reader swaps them by orientation before loading."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(image.tag_v2[TiffImagePlugin.IMAGEWIDTH]), int(image.tag_v2[TiffImagePlugin.IMAGELENGTH])
    return image.size


def _tile_pixels(image: Image.Image) -> int:
    """Return the pixels of one TIFF tile, which is fully allocated even if it exceeds the image."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 0
    return int(image.tag_v2.get(ExifTags.Base.TileWidth, 0)) * int(
        image.tag_v2.get(ExifTags.Base.TileLength, 0)
    )


def _apply_orientation(pixels: Image.Image, image: Image.Image) -> Image.Image:
    """Turn ``pixels`` upright according to the EXIF of ``image``; ignore unreadable EXIF."""
    try:
        method = _TRANSPOSE.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # bad metadata must not reject a good image
        return pixels
    return pixels if method is None else pixels.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode of Pillow to RGB by the rules above; an RGB image is not copied."""
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
    """Return the upper byte of 16 bits, as Pillow does for 16-bit RGB, or of a TIFF's 12 bits."""
    values = np.asarray(image)
    bits = 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
        if image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:  # white is zero
            values = (1 << bits) - 1 - values
    elif "transparency" in image.info:  # PNG: this grey value means transparent
        values = np.where(values == image.info["transparency"], 0xFFFF, values)
    return Image.fromarray((values >> (bits - 8)).astype(np.uint8))


def _stretch(image: Image.Image) -> Image.Image:
    """Stretch the finite values to 0..255; NaN, and an image with a single value, become 0."""
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
