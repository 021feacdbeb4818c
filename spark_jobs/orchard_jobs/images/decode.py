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

``Decoding.SCALED`` lets libjpeg decode a large JPEG to fewer pixels, from which the same bicubic filter makes
those for the model. docs/performance.md says how much faster that is, and how far the features move.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageChops, TiffImagePlugin, UnidentifiedImageError

from orchard_jobs.contract import Decoding, Status

MAX_ENCODED_BYTES = 64 * 2**20
"""Largest file, in bytes: many are held at once (``--concurrent-reads``), and a photograph of
MAX_PIXELS takes a third of it. featurize refuses larger ones unread."""

MAX_PIXELS = 2**26
"""Largest width x height: above any camera in a field. Pillow takes four bytes a pixel, 256 MiB here, and
converting as much again; an animated WebP of that size was seen to take 1 GiB."""

SCALED_SIZES = 6
"""How many times the model's width and height an image that is decoded with SCALED keeps at least. libjpeg
halves, quarters or eighths: with 224 x 224, an image is halved if its shorter side has 2,688 pixels or more.
With four times, features of 3 of 16 noisy photographs of 24 megapixels had a cosine below 0.999 to the exact
ones; with six times, of none."""

MAX_ERROR_LENGTH = 200
"""Longest message, in characters."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),  # and MPO, which is a JPEG with more JPEGs behind it
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)  # "BM" alone begins too many texts
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""All that is ever opened: no format that runs a program (EPS) or fetches another file."""

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
        status: EMPTY, NOT_AN_IMAGE, CORRUPT or TOO_LARGE.
        error: One line of printable characters, at most MAX_ERROR_LENGTH.
    """

    status: Status
    error: str


def decode_image(data: bytes, size: int = 224, decoding: Decoding = Decoding.EXACT) -> Decoded | Rejected:
    """Decode one image file and resize it to ``size`` x ``size``; raises for no bytes whatever."""
    kind = _sniff_format(data)
    if kind is None or len(data) > MAX_ENCODED_BYTES:
        return _reject_unopened(data)
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            return _decode_opened(image, size, decoding)
    except Exception as error:  # Pillow's plugins raise nearly everything for damaged files
        return _reject_damaged(error, kind)


def _sniff_format(data: bytes) -> str | None:
    """The format that the content claims to be; names and extensions do not matter."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return None


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


def _decode_opened(image: Image.Image, size: int, decoding: Decoding) -> Decoded | Rejected:
    width, height = _stored_size(image)
    pixels = max(width * height, _tile_pixels(image))
    if pixels > MAX_PIXELS:
        return Rejected(
            Status.TOO_LARGE, f"{width} x {height} takes {pixels} pixels; the limit is {MAX_PIXELS}"
        )
    if decoding is Decoding.SCALED:
        image.draft(None, (SCALED_SIZES * size, SCALED_SIZES * size))  # does nothing but for JPEG
    image.load()
    upright = _apply_orientation(_to_rgb(image), image)
    resized = upright.resize((size, size), Image.Resampling.BICUBIC)
    return Decoded(np.asarray(resized), width, height)


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
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow inverts every CMYK JPEG
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
