"""Sample images, drawn without a library: PNGs with colour gradients, one of them truncated."""

import struct
import zlib

COUNT = 20
"""Number of images, including the broken one."""

BROKEN = "Broken/corrupt.png"

LABELS = ("Apple", "Lime", "Plum")

SIDE = 100
"""Pixels, as in Fruits-360."""


def draw_samples() -> dict[str, bytes]:
    """Return the images by path, ``<label>/<image>``: always the same ones, no two alike."""
    good = {f"{LABELS[n % len(LABELS)]}/{n}.png": draw_png(n) for n in range(COUNT - 1)}
    return {**good, BROKEN: draw_png(COUNT)[:600]}


def draw_png(number: int) -> bytes:
    """Return an RGB picture: https://www.w3.org/TR/png-3/."""
    rows = (
        b"\0" + bytes(_channel(number, x, y, c) for x in range(SIDE) for c in range(3)) for y in range(SIDE)
    )
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _channel(number: int, x: int, y: int, channel: int) -> int:
    return (x * (number + 1) + y * (3 * channel + 2) + 37 * number * (channel + 1)) // 2 % 256


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
