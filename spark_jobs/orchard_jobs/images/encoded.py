"""Inspects an image file before its pixels are decoded: its format, and any damage.

Pillow has its own PNG decoder, which ignores much damage that libpng would report. This module finds it.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MAX_SCANS = 100
"""Limit of scans in a JPEG. Each processes all pixels: 11 ms for 67 megapixels. Encoders use ten scans."""

MAX_CHUNKS = 2**16
"""Limit of chunks in a PNG, because Pillow processes each in Python."""

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""The only formats that are opened: none that runs a program (EPS) or fetches another file."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),  # also MPO, which is a JPEG followed by more JPEGs
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)  # "BM" alone begins too many texts

_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # per pixel, by a PNG's colour type
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""For each pass over a PNG: its first column and row, and its steps between columns and rows."""

_PIECE = 2**20


def sniff_format(data: bytes) -> str | None:
    """Return the format in FORMATS that the content claims to have; file names do not matter."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return None


def find_excess(data: bytes, kind: str) -> str | None:
    """Describe what would keep a decoder busy for far longer than the file's size suggests; or None."""
    if kind == "JPEG" and (scans := _count_scans(data)) > MAX_SCANS:
        return f"this JPEG has {scans} scans; the limit is {MAX_SCANS}"
    if kind == "PNG" and any(number >= MAX_CHUNKS for number, _ in enumerate(_read_chunks(data))):
        return f"this PNG has more than {MAX_CHUNKS} chunks"
    return None


def find_damage(data: bytes, kind: str) -> str | None:
    """Describe damage to the chunks of a PNG: a name, a checksum, or a missing end; or None."""
    if kind != "PNG":
        return None
    for chunk in _read_chunks(data):
        if not (chunk.kind.isalpha() and (chunk.kind[:1].islower() or chunk.kind in _PIXEL_CHUNKS)):
            return f"a chunk is called {chunk.kind!r}"
        if chunk.end > len(data):
            return f"it ends within a chunk {chunk.name}"
        checksum = int.from_bytes(data[chunk.end - 4 : chunk.end], "big")
        if zlib.crc32(data[chunk.start + 4 : chunk.end - 4]) != checksum:
            return f"the checksum of a chunk {chunk.name} is wrong"
        if chunk.kind == b"IEND":
            return None
    return "it has no end"


def find_damaged_png_pixels(data: bytes) -> str | None:
    """Describe damage to the pixels of a PNG with valid chunks, or None. Check its size before calling."""
    expected, count, inflater = _count_png_bytes(data), 0, zlib.decompressobj()
    if expected is None:
        return "its header is of an unknown kind"
    try:
        for chunk in _read_chunks(data):
            if chunk.kind != b"IDAT":
                continue
            if inflater.eof:
                return "there is more behind its pixels"
            rest, made = data[chunk.start + 8 : chunk.end - 4], _PIECE
            while made == _PIECE and count <= expected:
                made = len(inflater.decompress(rest, _PIECE))
                count, rest = count + made, inflater.unconsumed_tail
    except zlib.error as error:
        return str(error)
    if count != expected or not inflater.eof:
        return f"its pixels are {'too many' if count > expected else 'too few'}"
    return "there is more behind its pixels" if inflater.unused_data else None


def strip_png_metadata(data: bytes) -> bytes:
    """Return a PNG with only the chunks that define its pixels; unchanged if there are no others."""
    kept = [data[chunk.start : chunk.end] for chunk in _read_chunks(data) if chunk.kind in _PIXEL_CHUNKS]
    return b"".join([data[:8], *kept])


def _count_scans(data: bytes) -> int:
    """Count the start-of-scan markers of a JPEG; in pixel data, byte stuffing separates 0xFF from others.

    Thumbnails in the metadata do not count, nor does data after the end, such as the video in some
    photographs.
    """
    place = 2
    while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    end = data.find(b"\xff\xd9", place)
    return data.count(b"\xff\xda", place, end if end >= 0 else len(data))


class _Chunk(NamedTuple):
    """A chunk of a PNG: four bytes of length, four of name, the content, and four of checksum."""

    kind: bytes
    start: int
    end: int

    @property
    def name(self) -> str:
        return self.kind.decode("latin-1")


def _read_chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the chunks of a PNG; the last one may claim to end beyond the data."""
    place = 8
    while place < len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        yield _Chunk(data[place + 4 : place + 8], place, end)
        place = end


def _count_png_bytes(data: bytes) -> int | None:
    """Return the size of a PNG's pixels in bytes, plus one per row; None if its header is invalid."""
    width, height, depth, colours, _, _, interlaced = struct.unpack_from(">2I5B", data, 16)
    if data[12:16] != b"IHDR" or colours not in _SAMPLES or interlaced > 1:
        return None
    bits, count = depth * _SAMPLES[colours], 0
    for column, row, across, down in _ADAM7 if interlaced else _WHOLE:
        columns, rows = -(-(width - column) // across), -(-(height - row) // down)
        if columns > 0 and rows > 0:
            count += rows * (1 + -(-columns * bits // 8))
    return count
