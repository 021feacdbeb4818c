"""Builds the bytes of good, odd and damaged image files (needs Pillow and NumPy).

Every valid picture is the same: PICTURE's four quadrants of plain colour in 64 x 48 pixels, so that one test
checks colours, orientation and the choice of frame. The table of cases is in bad_images.py.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.support.bad_images import GREEN, GREY, HEIGHT, PICTURE, RED, WIDTH, Colour

Pixels = npt.NDArray[Any]

MAGENTA = (255, 0, 255)  # never visible in a valid picture: fills second frames and transparent areas

ORIENTATION = 0x0112  # EXIF tag
PHOTOMETRIC = 262  # TIFF tag


def quadrants(values: Sequence[Any], dtype: Any = np.uint8) -> Pixels:
    """Array (48, 64[, channels]) with one value or colour per quadrant."""
    cells = np.array(values, dtype=dtype)
    grid = cells.reshape(2, 2, *cells.shape[1:])
    return grid.repeat(HEIGHT // 2, axis=0).repeat(WIDTH // 2, axis=1)


def picture(colours: Sequence[Colour] = PICTURE) -> Image.Image:
    return Image.fromarray(quadrants(colours))


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(**options: Any) -> bytes:
    return encode(picture(), "JPEG", quality=92, **options)


def jpeg_with_scans(scans: int) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    data = jpeg(progressive=True)
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:last] + data[last:end] * scans + data[end:]


END = b"\xff\xd9"
"""Of a JPEG."""


def half_zeroed(data: bytes) -> bytes:
    """A JPEG whose second half is all zeros, up to its end marker."""
    half = len(data) // 2
    return data[:half] + bytes(len(data) - half - len(END)) + END


def jpeg_of_height(data: bytes, height: int) -> bytes:
    """A JPEG whose header has a wrong height."""
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">H", height) + data[place + 2 :]


def grey_jpeg() -> bytes:
    return encode(picture().convert("L"), "JPEG", quality=92)


def jpeg_with_orientation(orientation: int) -> bytes:
    return jpeg(exif=_exif(orientation))


def tiff_with_orientation(orientation: int) -> bytes:
    return encode(picture(), "TIFF", tiffinfo={ORIENTATION: orientation})


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def jpeg_with_malformed_exif() -> bytes:
    return jpeg(exif=b"Exif\0\0II*\0\xff\xff\xff\x7f not a directory")


def mpo() -> bytes:
    return encode(picture(), "MPO", save_all=True, append_images=[picture([MAGENTA] * 4)])


def cmyk_straight_jpeg() -> bytes:
    """CMYK where 0 is no ink, without Adobe's marker: Pillow, which inverts, is given the negative."""
    return _without_adobe_marker(encode(Image.fromarray(255 - _inks(), "CMYK"), "JPEG", quality=95))


def cmyk_adobe_jpeg() -> bytes:
    """CMYK as Photoshop writes it, 0 is full ink, with its marker: so writes Pillow."""
    return encode(Image.fromarray(_inks(), "CMYK"), "JPEG", quality=95)


def ycck_adobe_jpeg() -> bytes:
    """YCCK: the inks' YCbCr and an inverted K; Pillow inverts on writing and marks it as CMYK."""
    inks = _inks()
    luminance = np.asarray(Image.fromarray(inks[..., :3].copy()).convert("YCbCr"))
    stored = np.dstack([luminance, 255 - inks[..., 3]])
    data = encode(Image.fromarray(255 - stored, "CMYK"), "JPEG", quality=95)
    transform = data.index(b"Adobe") + 11
    return data[:transform] + b"\x02" + data[transform + 1 :]


def _inks() -> Pixels:
    """Inks (0 is none) whose colours on paper are PICTURE; grey uses only black ink."""
    return quadrants([*((255 - r, 255 - g, 255 - b, 0) for r, g, b in PICTURE[:3]), (0, 0, 0, 127)])


def _without_adobe_marker(data: bytes) -> bytes:
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :]


def rgb(kind: str, **options: Any) -> bytes:
    return encode(picture(), kind, **options)


def rgba(kind: str, **options: Any) -> bytes:
    """Opaque red; green at half strength; transparent magenta; opaque grey."""
    colours = [(*RED, 255), (*GREEN, 128), (*MAGENTA, 0), (*GREY, 255)]
    return encode(Image.fromarray(quadrants(colours)), kind, **options)


def grey_alpha_png() -> bytes:
    return encode(Image.fromarray(quadrants([(0, 255), (0, 0), (128, 255), (255, 255)]), "LA"), "PNG")


def palette(kind: str, **options: Any) -> bytes:
    """Palette entry i is quadrant i."""
    image = Image.new("P", (WIDTH, HEIGHT))
    image.putdata(quadrants([0, 1, 2, 3]).ravel().tolist())
    image.putpalette([value for colour in PICTURE for value in colour])
    return encode(image, kind, **options)


def one_bit(kind: str, **options: Any) -> bytes:
    return encode(Image.fromarray(quadrants([0, 255, 255, 0])).convert("1"), kind, **options)


def grey_16_bit(kind: str) -> bytes:
    """0, white, middle and a quarter of 16 bits."""
    return encode(Image.fromarray(quadrants([0, 65535, 32768, 16384], np.uint16)), kind)


def grey_16_bit_white_is_zero_tiff() -> bytes:
    image = Image.fromarray(quadrants([65535, 0, 32767, 49151], np.uint16))
    data = bytearray(encode(image, "TIFF"))
    entry = data.index(struct.pack("<HHI", PHOTOMETRIC, 3, 1))
    data[entry + 8] = 0
    return bytes(data)


def grey_16_bit_transparent_png() -> bytes:
    """Like grey_16_bit, with its middle grey marked as transparent."""
    return _png_with_chunk(_chunk(b"tRNS", struct.pack(">H", 32768)), grey_16_bit("PNG"))


def grey_12_bit_tiff() -> bytes:
    """Two samples in three bytes: 0, white, middle and a quarter of 12 bits."""
    pairs = quadrants([0, 4095, 2048, 1024], np.uint32).reshape(-1, 2)
    packed = b"".join(int(first << 12 | second).to_bytes(3) for first, second in pairs)
    values = {256: WIDTH, 257: HEIGHT, 258: 12, 259: 1, 262: 1, 277: 1, 278: HEIGHT, 279: len(packed)}
    return _tiff(values, offset_tag=273, data=packed)


def grey_32_bit_tiff() -> bytes:
    return encode(Image.fromarray(quadrants([-1000, 3000, 1000, 0], np.int32)), "TIFF")


def float_tiff() -> bytes:
    """From 0 to 1, with no number in the last quadrant."""
    return encode(Image.fromarray(quadrants([0, 1, 0.5, np.nan], np.float32)), "TIFF")


def rgb_16_bit_png() -> bytes:
    rows = quadrants([[value * 257 for value in colour] for colour in PICTURE], ">u2")
    return _png(16, 2, b"".join(b"\0" + row.tobytes() for row in rows))


def animated(kind: str, **options: Any) -> bytes:
    return encode(picture(), kind, save_all=True, append_images=[picture([MAGENTA] * 4)], **options)


def all_red(kind: str, width: int, height: int) -> bytes:
    return encode(Image.new("RGB", (width, height), RED), kind)


def png_with_text_bomb() -> bytes:
    """A compressed comment of a few kilobytes that becomes 8 MiB."""
    return _png_with_chunk(_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(8 * 2**20))))


def png_with_chunks(chunks: int) -> bytes:
    return _png_with_chunk(_chunk(b"teXt", b"") * chunks)


def png_with_wrong_checksum() -> bytes:
    """With the checksum of its pixels' chunk off by one bit."""
    data = bytearray(encode(picture(), "PNG"))
    data[-13] ^= 1
    return bytes(data)


def png_of_height(height: int) -> bytes:
    """The usual number of pixels after a header with a wrong height."""
    return _png(8, 2, _rows(), height=height)


def png_with_more_pixels() -> bytes:
    """A second stream of pixels after the first."""
    data = _png(8, 2, _rows())
    return data[:-12] + _chunk(b"IDAT", zlib.compress(bytes(100))) + data[-12:]


def interlaced_png(width: int, height: int) -> bytes:
    """Adam7, of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    passes = [pixels[0::8, 0::8], pixels[0::8, 4::8], pixels[4::8, 0::4], pixels[0::4, 2::4]]
    passes += [pixels[2::4, 0::2], pixels[0::2, 1::2], pixels[1::2]]
    rows = b"".join(b"\0" + row.tobytes() for one in passes if one.size for row in one)
    return _png(8, 2, rows, width, height, interlaced=1)


def _rows() -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in np.asarray(picture()))


def png_with_profile_bomb() -> bytes:
    return _png_with_chunk(_chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(8 * 2**20))))


def _png_with_chunk(chunk: bytes, data: bytes | None = None) -> bytes:
    data = data or encode(picture(), "PNG")
    after_header = 8 + 25
    return data[:after_header] + chunk + data[after_header:]


def bomb_png(width: int, height: int) -> bytes:
    """A header that promises far more than the few bytes that follow."""
    return _png(8, 2, bytes(10_000), width, height)


def bomb_gif() -> bytes:
    data = palette("GIF")
    return data[:6] + struct.pack("<HH", 65535, 65535) + data[10:]


def bomb_bmp() -> bytes:
    data = encode(picture(), "BMP")
    return data[:18] + struct.pack("<ii", 30000, 30000) + data[26:]


def bomb_webp() -> bytes:
    canvas = (16383 - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bomb_tile_tiff(tile: int) -> bytes:
    """16 x 16 pixels, cut from one tile of ``tile`` x ``tile`` that a decoder must allocate whole."""
    data = zlib.compress(bytes(10_000))
    values = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile, 323: tile, 325: len(data)}
    return _tiff(values, offset_tag=324, data=data)


def _tiff(values: dict[int, int], offset_tag: int, data: bytes) -> bytes:
    """Tags (of one LONG each), one of which says where ``data`` begins."""
    start = 8 + 2 + 12 * (len(values) + 1) + 4
    entries = sorted({**values, offset_tag: start}.items())
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + data


def _png(
    depth: int,
    colour_type: int,
    rows: bytes,
    width: int = WIDTH,
    height: int = HEIGHT,
    interlaced: int = 0,
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    data = _chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + data + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def good(number: int) -> bytes:
    """A blurred blot on white, 100 x 100; another for each number, akin to its neighbours by threes."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:100, :100]
    x, y, radius = rng.uniform(45, 55, 3) - (0, 0, 15)
    cover = np.clip(radius - np.hypot(columns - x, rows - y), 0, 1)[..., None]
    colour = np.array(PICTURE[number % 3]) + rng.uniform(-25, 25, 3)
    pixels = 255 * (1 - cover) + cover * (colour + rng.normal(0, 8, (100, 100, 1)))
    return encode(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), "JPEG", quality=90)


def cut(data: bytes, share: float) -> bytes:
    """The first ``share`` of a file, like after an interrupted transfer."""
    return data[: int(len(data) * share)]
