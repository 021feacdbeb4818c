"""Good and bad images: a table of file names and contents, and the expected outcome of each.

Importing this module only needs the standard library. Pillow is imported when a case's bytes are built, so
that Airflow's tests can write the names with dummy contents (``write_folder(root, real=False)``).

Every valid picture is the same: four quadrants of plain colour, 64 x 48 pixels; see image_encoders.py.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from orchard_jobs.contract import Status

Colour = tuple[int, int, int]
Quadrants = tuple[Colour, Colour, Colour, Colour]  # top left, top right, bottom left, bottom right

IGNORED = "ignored"  # not listed: neither featurized nor rejected

RED, GREEN, BLUE, GREY = (200, 40, 30), (60, 160, 50), (40, 60, 190), (128, 128, 128)
WHITE, BLACK, DARK = (255, 255, 255), (0, 0, 0), (64, 64, 64)
GREEN_ON_WHITE = (157, 207, 152)  # half strength
WIDTH, HEIGHT = 64, 48
PICTURE: Quadrants = (RED, GREEN, BLUE, GREY)
LUMINANCE: Quadrants = ((87, 87, 87), (118, 118, 118), (69, 69, 69), GREY)
SHADES: Quadrants = (BLACK, WHITE, GREY, DARK)
CHECKS: Quadrants = (BLACK, WHITE, WHITE, BLACK)
ALL_RED: Quadrants = (RED, RED, RED, RED)


@dataclass(frozen=True)
class BadImage:
    """A file and its expected outcome.

    Args:
        path: Path relative to the images folder; the stem says what is special about the file.
        expected: A Status value, or IGNORED.
        build: Builds the bytes with the functions of image_encoders.
        colours: Colours of the decoded picture; None unless ok.
        size: Width and height as stored, in pixels; None unless ok.
    """

    path: str
    expected: str
    build: Callable[[Any], bytes]
    colours: Quadrants | None = None
    size: tuple[int, int] | None = None

    def data(self) -> bytes:
        return self.build(import_module("tests.support.image_encoders"))


def _odd(
    path: str,
    build: Callable[[Any], bytes],
    colours: Quadrants = PICTURE,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> BadImage:
    return BadImage(f"odd/{path}", Status.OK, build, colours, size)


ODD = [
    _odd("plain.jpg", lambda make: make.jpeg()),
    _odd("progressive.jpg", lambda make: make.jpeg(progressive=True)),
    _odd("junk behind the end.jpg", lambda make: make.jpeg() + b"junk"),
    _odd("a png.jpg", lambda make: make.rgb("PNG")),
    _odd("a jpeg.png", lambda make: make.jpeg()),
    _odd("upper case.JPG", lambda make: make.jpeg()),
    _odd("grey.jpg", lambda make: make.grey_jpeg(), LUMINANCE),
    _odd("multi picture.jpg", lambda make: make.mpo()),
    _odd("cmyk without marker.jpg", lambda make: make.cmyk_straight_jpeg()),
    _odd("cmyk adobe inverted.jpg", lambda make: make.cmyk_adobe_jpeg()),
    _odd("ycck adobe.jpg", lambda make: make.ycck_adobe_jpeg()),
    _odd("exif rotated.jpg", lambda make: make.jpeg_with_orientation(6), (BLUE, RED, GREY, GREEN)),
    _odd("exif transposed.jpg", lambda make: make.jpeg_with_orientation(5), (RED, BLUE, GREEN, GREY)),
    _odd("exif malformed.jpg", lambda make: make.jpeg_with_malformed_exif()),
    _odd("rotated.tiff", lambda make: make.tiff_with_orientation(6), (BLUE, RED, GREY, GREEN)),
    _odd("alpha.png", lambda make: make.rgba("PNG"), (RED, GREEN_ON_WHITE, WHITE, GREY)),
    _odd("alpha.webp", lambda make: make.rgba("WEBP", lossless=True), (RED, GREEN_ON_WHITE, WHITE, GREY)),
    _odd("grey alpha.png", lambda make: make.grey_alpha_png(), (BLACK, WHITE, GREY, WHITE)),
    _odd("palette.png", lambda make: make.palette("PNG")),
    _odd(
        "palette transparent.png",
        lambda make: make.palette("PNG", transparency=bytes([255, 128, 0, 255])),
        (RED, GREEN_ON_WHITE, WHITE, GREY),
    ),
    _odd("palette.gif", lambda make: make.palette("GIF")),
    _odd(
        "palette transparent.gif",
        lambda make: make.palette("GIF", transparency=2),
        (RED, GREEN, WHITE, GREY),
    ),
    _odd("one bit.png", lambda make: make.one_bit("PNG"), CHECKS),
    _odd("one bit fax.tif", lambda make: make.one_bit("TIFF", compression="group4"), CHECKS),
    _odd("16 bit grey.png", lambda make: make.grey_16_bit("PNG"), SHADES),
    _odd("16 bit grey.tif", lambda make: make.grey_16_bit("TIFF"), SHADES),
    _odd("16 bit white is zero.tif", lambda make: make.grey_16_bit_white_is_zero_tiff(), SHADES),
    _odd("16 bit rgb.png", lambda make: make.rgb_16_bit_png()),
    _odd("32 bit grey.tif", lambda make: make.grey_32_bit_tiff(), SHADES),
    _odd("float.tif", lambda make: make.float_tiff(), (BLACK, WHITE, GREY, BLACK)),
    _odd("deflated.tif", lambda make: make.rgb("TIFF", compression="tiff_adobe_deflate")),
    _odd("text of 8 megabytes.png", lambda make: make.png_with_text_bomb()),
    _odd("profile of 8 megabytes.png", lambda make: make.png_with_profile_bomb()),
    _odd("plain.bmp", lambda make: make.rgb("BMP")),
    _odd("plain.webp", lambda make: make.rgb("WEBP", lossless=True)),
    _odd("animated.gif", lambda make: make.animated("GIF")),
    _odd("animated.webp", lambda make: make.animated("WEBP", lossless=True)),
    _odd("animated.png", lambda make: make.animated("PNG")),
    _odd("1x1.jpg", lambda make: make.all_red("JPEG", 1, 1), ALL_RED, (1, 1)),
    _odd("20000x1.png", lambda make: make.all_red("PNG", 20000, 1), ALL_RED, (20000, 1)),
    _odd("1x20000.jpg", lambda make: make.all_red("JPEG", 1, 20000), ALL_RED, (1, 20000)),
]
"""Decodable images, each with its own trap."""

MENDED: dict[str, Callable[[Any], bytes]] = {
    **{
        f"{percent} % and an end.jpg": lambda make, share=percent / 100: (
            make.cut(make.good(1), share) + make.END
        )
        for percent in (30, 60, 90)
    },
    "second half zeroed.jpg": lambda make: make.half_zeroed(make.good(1)),
    "of another height.jpg": lambda make: make.jpeg_of_height(make.good(1), 150),
    "of half the height.jpg": lambda make: make.jpeg_of_height(make.good(1), 50),
}
"""JPEGs for which libjpeg warns and invents missing pixels."""

BROKEN = [
    BadImage("broken/zero bytes.jpg", Status.EMPTY, lambda _: b""),
    BadImage("broken/truncated.jpg", Status.CORRUPT, lambda make: make.cut(make.good(1), 0.7)),
    BadImage("broken/truncated header.jpg", Status.CORRUPT, lambda make: make.jpeg()[:40]),
    BadImage("broken/truncated.png", Status.CORRUPT, lambda make: make.cut(make.rgb("PNG"), 0.7)),
    BadImage("broken/truncated.gif", Status.CORRUPT, lambda make: make.cut(make.palette("GIF"), 0.9)),
    BadImage("broken/truncated.webp", Status.CORRUPT, lambda make: make.cut(make.rgb("WEBP"), 0.7)),
    BadImage("broken/truncated.tif", Status.CORRUPT, lambda make: make.cut(make.rgb("TIFF"), 0.7)),
    BadImage("broken/truncated.bmp", Status.CORRUPT, lambda make: make.cut(make.rgb("BMP"), 0.7)),
    BadImage("broken/signature only.png", Status.CORRUPT, lambda make: make.rgb("PNG")[:8] + b"garbage" * 9),
    *(BadImage(f"broken/{name}", Status.CORRUPT, build) for name, build in MENDED.items()),
    BadImage(
        "broken/progressive to 80 % and an end.jpg",
        Status.CORRUPT,
        lambda make: make.cut(make.jpeg(progressive=True), 0.8) + make.END,
    ),
    BadImage("broken/bad checksum.png", Status.CORRUPT, lambda make: make.png_with_wrong_checksum()),
    BadImage("broken/pixels end early.png", Status.CORRUPT, lambda make: make.png_of_height(HEIGHT + 1)),
    BadImage("broken/pixels go on.png", Status.CORRUPT, lambda make: make.png_of_height(HEIGHT - 1)),
    BadImage("broken/no end.png", Status.CORRUPT, lambda make: make.rgb("PNG")[:-12]),
    BadImage("broken/more behind the pixels.png", Status.CORRUPT, lambda make: make.png_with_more_pixels()),
    BadImage("broken/text.jpg", Status.NOT_AN_IMAGE, lambda _: b"BMW, II* and other words\n"),
    BadImage("broken/error page.jpg", Status.NOT_AN_IMAGE, lambda _: b"<html>404</html>\n"),
    BadImage("broken/postscript.jpg", Status.NOT_AN_IMAGE, lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n"),
    BadImage("broken/zeros.jpg", Status.NOT_AN_IMAGE, lambda _: bytes(4096)),
    BadImage("broken/many scans.jpg", Status.TOO_LARGE, lambda make: make.jpeg_with_scans(30_000)),
    BadImage("broken/many chunks.png", Status.TOO_LARGE, lambda make: make.png_with_chunks(2**16)),
    BadImage("broken/bomb.png", Status.TOO_LARGE, lambda make: make.bomb_png(20_000, 20_000)),
    BadImage("broken/just too large.png", Status.TOO_LARGE, lambda make: make.bomb_png(8200, 8192)),
    BadImage("broken/bomb.gif", Status.TOO_LARGE, lambda make: make.bomb_gif()),
    BadImage("broken/bomb.bmp", Status.TOO_LARGE, lambda make: make.bomb_bmp()),
    BadImage("broken/bomb.webp", Status.TOO_LARGE, lambda make: make.bomb_webp()),
    BadImage("broken/bomb tile.tif", Status.TOO_LARGE, lambda make: make.bomb_tile_tiff(32768)),
]
"""Images that become rejected rows."""

HARD_NAMES = (
    "plain.jpg",
    "root level.jpg",
    "names/two  spaces.jpg",
    "names/ leading space.jpg",
    "names/pêche 桃 🍑.jpg",
    "names/de\u0301compose\u0301.jpg",
    "names/#1.jpg",
    "names/100%.jpg",
    "names/%20.jpg",
    "names/a%2Fb.jpg",
    "names/a+b.jpg",
    "names/a&b=c;d.jpg",
    "names/what?.jpg",
    "names/[a]{b}*.jpg",
    "names/12:30.jpg",
    "names/back\\slash.jpg",
    "names/it's.jpg",
    'names/"quoted".jpg',
    "names/comma,comma.jpg",
    "names/new\nline.jpg",
    "names/tab\tstop.jpg",
    "names/=1+1.jpg",
    "names/@sum.jpg",
    "names/-v.jpg",
    "names/+1.jpg",
    "names/~home.jpg",
    "names/$HOME.jpg",
    f"names/{'long' * 50}.jpg",
    "=cmd|' /C calc'!A0/1.jpg",
    '50% off, #1 + "more"/1.jpg',
    "label=x/1.jpg",
    "nested/Citrus/Limón/1.jpg",
)
"""All valid images."""

NAMES = [BadImage(path, Status.OK, lambda make: make.jpeg(), PICTURE, (WIDTH, HEIGHT)) for path in HARD_NAMES]
HIDDEN = [
    BadImage(path, IGNORED, lambda make: make.jpeg())
    for path in (".DS_Store", "names/.DS_Store", "names/.hidden.jpg", "names/._1.jpg", ".trash/1.jpg")
]
CASES = ODD + BROKEN + NAMES + HIDDEN
"""All files whose outcome depends only on name and bytes."""

UNREADABLE = "special/unreadable.jpg"
VANISHING = "special/vanishes.jpg"
EMPTY_FOLDERS = ("empty", "nested/empty")
FOLDER_LOOP = "nested/loop"  # a link to its own folder
FILE_LOOP = "special/loop.jpg"  # a link to itself


def write_folder(root: Path, good: int = 30, *, real: bool = True, vanishing: bool = True) -> dict[str, str]:
    """Write every case and ``good`` valid images of three labels; return the expected outcome by path.

    Args:
        root: Folder to fill; created if missing.
        good: Number of valid images, at ``Apple|Lime|Plum/<n>_100.jpg``.
        real: False writes dummy contents, without Pillow.
        vanishing: Also write VANISHING, expected to be missing: the test removes it once it is listed.

    Returns:
        Status value or IGNORED by relative path, with ``/``. UNREADABLE is ``ok`` for root and other users
        whom permissions do not restrict.
    """
    sound = [_good(number) for number in range(good)]
    sound.append(BadImage(UNREADABLE, Status.UNREADABLE, lambda make: make.jpeg()))
    if vanishing:
        sound.append(BadImage(VANISHING, Status.MISSING, lambda make: make.jpeg()))
    expected = {case.path: _write(root, case, real=real) for case in CASES + sound}
    for folder in EMPTY_FOLDERS:
        (root / folder).mkdir(parents=True)
    (root / FOLDER_LOOP).symlink_to("..", target_is_directory=True)
    (root / FILE_LOOP).symlink_to(Path(FILE_LOOP).name)
    (root / UNREADABLE).chmod(0)
    if os.access(root / UNREADABLE, os.R_OK):
        expected[UNREADABLE] = Status.OK
    return {**expected, FILE_LOOP: Status.UNREADABLE}


def _good(number: int) -> BadImage:
    label = ("Apple", "Lime", "Plum")[number % 3]
    return BadImage(f"{label}/{number}_100.jpg", Status.OK, lambda make: make.good(number))


def _write(root: Path, case: BadImage, *, real: bool) -> str:
    path = root / case.path
    path.parent.mkdir(parents=True, exist_ok=True)
    dummy = b"" if case.expected == Status.EMPTY else case.path.encode()
    path.write_bytes(case.data() if real else dummy)
    return str(case.expected)
