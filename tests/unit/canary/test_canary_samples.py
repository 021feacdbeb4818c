"""The sample images: sound PNGs of different pictures, and one that is cut off."""

import zlib

from canary.samples import BROKEN, COUNT, SIDE, draw_samples


def read_pixels(png: bytes) -> bytes:
    """Return the bytes of the only IDAT; raise where a checksum or the compression is not right."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, pixels = 8, b""
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert int.from_bytes(png[at + 8 + size : at + 12 + size]) == zlib.crc32(kind + data)
        pixels += data if kind == b"IDAT" else b""
        at += 12 + size
    return zlib.decompress(pixels)


def test_there_are_twenty_in_the_layout_of_a_lake_and_no_two_alike() -> None:
    samples = draw_samples()
    assert len(samples) == len(set(samples.values())) == COUNT
    assert {name.count("/") for name in samples} == {1}
    assert samples == draw_samples()


def test_all_but_one_are_whole() -> None:
    sound = {name: data for name, data in draw_samples().items() if name != BROKEN}
    assert {len(read_pixels(data)) for data in sound.values()} == {SIDE * (1 + 3 * SIDE)}
    assert b"IEND" not in draw_samples()[BROKEN]
