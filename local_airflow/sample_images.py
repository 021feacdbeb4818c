"""Draw sample images: fruit on white, in the layout of Fruits-360, ``<Class>/<n>_100.jpg``.

    python local_airflow/sample_images.py DIR [--classes 12] [--per-class 25]

The same arguments give the same bytes on one version of Pillow. Existing files are left alone. Each class is
one fruit with its own outline, colours and texture; within a class the fruit turns, and varies a little in
size, shape, colour and light, as on the turntable on which Fruits-360 was filmed.
"""

import argparse
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZE = 100  # pixels a side, as in Fruits-360
OVERSAMPLING = 2  # drawn this much larger, then shrunk, for smooth edges
SEED = 360

Array = npt.NDArray[np.float64]
Colour = tuple[int, int, int]
Texture = Literal["smooth", "speckled", "striped", "dimpled", "tiled", "seeded", "blushed", "downy"]


@dataclass(frozen=True)
class Fruit:
    """One class.

    Args:
        name: Name of its folder.
        skin: Base colour.
        accent: Colour of the texture or blush.
        texture: Pattern of the accent on the skin.
        aspect: Length over width.
        taper: Above 0, narrower towards the stalk; below, towards the far end.
        lobes: Number of bulges around the outline, and their depth as a share of the radius.
        bend: How far the long axis curves, as a share of the length.
        stalk: Length of the stalk, as a share of the radius; 0 has none.
        leaves: Number of leaves around the stalk.
        gloss: Strength of the highlight, from 0 to 1.
        size: Radius, as a share of half the picture.
    """

    name: str
    skin: Colour
    accent: Colour
    texture: Texture = "smooth"
    aspect: float = 1.0
    taper: float = 0.0
    lobes: tuple[int, float] = (0, 0.0)
    bend: float = 0.0
    stalk: float = 0.0
    leaves: int = 0
    gloss: float = 0.5
    size: float = 0.8


FRUITS = (
    Fruit("Apple Red", (178, 24, 34), (232, 178, 74), "blushed", 0.95, 0.08, (2, 0.04), stalk=0.3, leaves=1),
    Fruit("Apricot", (240, 152, 50), (222, 84, 48), "downy", 1.05, 0.0, (1, 0.05), gloss=0.2, size=0.7),
    Fruit("Avocado", (58, 78, 34), (92, 116, 52), "dimpled", 1.4, 0.34, stalk=0.08, gloss=0.35),
    Fruit("Banana", (244, 208, 62), (122, 88, 38), "speckled", 2.7, 0.06, bend=0.5, stalk=0.16, gloss=0.2),
    Fruit("Blueberry", (52, 66, 128), (134, 150, 196), "downy", 1.0, gloss=0.25, size=0.5),
    Fruit(
        "Cherry",
        (118, 8, 30),
        (186, 30, 48),
        "blushed",
        0.96,
        -0.1,
        (1, 0.05),
        stalk=1.0,
        gloss=0.9,
        size=0.52,
    ),
    Fruit("Kiwi", (126, 94, 54), (84, 60, 34), "downy", 1.25, 0.04, gloss=0.08, size=0.75),
    Fruit("Lemon", (250, 222, 62), (220, 184, 36), "dimpled", 1.4, lobes=(2, 0.14), gloss=0.4, size=0.8),
    Fruit("Lime", (98, 162, 44), (66, 122, 30), "dimpled", 1.18, lobes=(2, 0.08), gloss=0.5, size=0.68),
    Fruit("Orange", (246, 136, 22), (216, 100, 10), "dimpled", 0.98, stalk=0.05, leaves=1, gloss=0.45),
    Fruit("Pear", (190, 192, 74), (152, 120, 52), "speckled", 1.42, 0.42, stalk=0.3, gloss=0.3),
    Fruit(
        "Pineapple", (206, 142, 44), (110, 78, 28), "tiled", 1.5, stalk=0.1, leaves=7, gloss=0.1, size=0.78
    ),
    Fruit(
        "Plum",
        (86, 36, 92),
        (142, 70, 122),
        "downy",
        1.18,
        lobes=(1, 0.04),
        stalk=0.14,
        gloss=0.35,
        size=0.68,
    ),
    Fruit("Strawberry", (212, 30, 40), (248, 208, 110), "seeded", 1.2, -0.4, leaves=6, gloss=0.5, size=0.68),
    Fruit("Tomato", (222, 54, 30), (242, 110, 50), "blushed", 0.84, lobes=(5, 0.018), leaves=5, gloss=0.8),
    Fruit("Watermelon", (84, 148, 62), (28, 74, 36), "striped", 1.15, gloss=0.4, size=0.92),
)


def main() -> None:
    """Draw the samples that the command line requests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--classes", type=int, default=12, choices=range(1, len(FRUITS) + 1), metavar="N")
    parser.add_argument("--per-class", type=int, default=25, choices=range(1, 10_001), metavar="N")
    arguments = parser.parse_args()
    drawn = draw_samples(arguments.folder, arguments.classes, arguments.per_class)
    print(f"{arguments.folder}: {drawn} images drawn" if drawn else f"{arguments.folder}: complete")


def draw_samples(folder: Path, classes: int = 12, per_class: int = 25) -> int:
    """Fill ``folder`` with ``classes`` x ``per_class`` images; return how many were missing."""
    missing = [
        (fruit, number, path)
        for fruit in FRUITS[:classes]
        for number in range(per_class)
        if not (path := folder / fruit.name / f"{number}_100.jpg").exists()
    ]
    for fruit, number, path in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(
            f".{path.name}.partial"
        )  # hidden, so that an interrupted run leaves no partial image
        draw_fruit(fruit, number).save(partial, "JPEG", quality=90)
        partial.replace(path)
    return len(missing)


def draw_fruit(fruit: Fruit, number: int) -> Image.Image:
    """Picture ``number`` of a class, 100 x 100 RGB."""
    rng = np.random.default_rng([SEED, zlib.crc32(fruit.name.encode()), number])
    turn, roll = rng.uniform(-0.8, 0.8), rng.uniform(0, 2 * np.pi)
    u, v = _turn(*_grid(), turn, fruit.size * rng.uniform(0.92, 1.0), fruit.aspect * rng.uniform(0.95, 1.05))
    u = u - fruit.bend * (0.5 - v**2)
    body = _body(fruit, u, v)
    normal = _normals(u, v, body)
    surface = _roll(normal, roll)
    tint = np.array(fruit.skin) + rng.normal(0, 5, 3)
    skin = _paint(fruit, tint, surface)
    lit = _light(skin, _turn_back(normal, turn), fruit.gloss, rng.uniform(0.94, 1.06))
    canvas = _cover(np.full_like(lit, 255), lit, body)
    for cover, colour in _growths(fruit, u, v, rng):
        shade = np.array(colour) * (0.8 + 0.35 * rng.random())
        canvas = _cover(canvas, np.broadcast_to(shade, canvas.shape), cover)
    large = Image.fromarray(canvas.clip(0, 255).astype(np.uint8))
    return large.resize((SIZE, SIZE), Image.Resampling.BOX)


def _grid() -> tuple[Array, Array]:
    """Coordinates of the pixels' centres, x to the right and y down, from -1 to 1."""
    axis = (np.arange(SIZE * OVERSAMPLING) + 0.5) / (SIZE * OVERSAMPLING) * 2 - 1
    x, y = np.meshgrid(axis, axis)
    return x, y


def _turn(x: Array, y: Array, angle: float, size: float, aspect: float) -> tuple[Array, Array]:
    """Picture → fruit: u across and v along its axis, both 1 at the outline, the stalk at v = -1."""
    cos, sin = np.cos(angle), np.sin(angle)
    across, along = size * min(1, 1 / aspect), size * min(1, aspect)
    return (x * cos + y * sin) / across, (y * cos - x * sin) / along


def _body(fruit: Fruit, u: Array, v: Array) -> Array:
    """1 on the axis falling to 0 at the outline, negative outside."""
    bulges, depth = fruit.lobes
    bulge = (0.5 + 0.5 * np.cos(bulges * np.arctan2(u, -v))) ** 3
    outline = 1 - depth * (1 - bulge)
    width = (1 + fruit.taper * v.clip(-1, 1)) / (1 + 0.5 * abs(fruit.taper))
    return np.asarray(1 - np.hypot(u / width, v) / outline)


def _normals(u: Array, v: Array, body: Array) -> Array:
    """Unit normals (height, width, 3) in the fruit's own axes, z towards the viewer."""
    radius = (1 - body).clip(0, 1)
    length = np.hypot(u, v) + 1e-9
    return np.dstack([u / length * radius, v / length * radius, np.sqrt(1 - radius**2)])


def _roll(normal: Array, angle: float) -> Array:
    """Rolled about the stalk's axis, so that each picture shows another side of the skin."""
    x, y, z = np.moveaxis(normal, 2, 0)
    return np.dstack([x * np.cos(angle) + z * np.sin(angle), y, z * np.cos(angle) - x * np.sin(angle)])


def _turn_back(normal: Array, angle: float) -> Array:
    """From the fruit's axes to the picture's, where the lamp stands still."""
    x, y, z = np.moveaxis(normal, 2, 0)
    return np.dstack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z])


def _paint(fruit: Fruit, skin: Array, surface: Array) -> Array:
    """Skin and accent, mixed as the texture says."""
    share = TEXTURES[fruit.texture](surface)[..., None]
    return np.asarray(skin * (1 - share) + np.array(fruit.accent) * share)


def _noise(surface: Array, frequency: float, waves: int = 16) -> Array:
    """Smooth noise on the sphere, about -1 to 1: a sum of plane waves, the same for every picture."""
    directions = np.random.default_rng(SEED).normal(0, frequency, (waves, 3))
    phases = surface @ directions.T + np.arange(waves) * 2.4
    return np.asarray(np.sin(phases).sum(axis=2) / np.sqrt(waves))


def _longitude(surface: Array) -> Array:
    return np.asarray(np.arctan2(surface[..., 0], surface[..., 2]))


def _lattice(surface: Array, around: int, along: float) -> Array:
    """-1 to 1: diamonds around the axis, 1 at their middles."""
    longitude, height = _longitude(surface), np.arcsin(surface[..., 1].clip(-1, 1))
    return (
        np.asarray(np.cos(around * longitude + along * height) + np.cos(around * longitude - along * height))
        / 2
    )


TEXTURES: dict[Texture, Callable[[Array], Array]] = {
    "blushed": lambda surface: (0.45 * _noise(surface, 1.6) + 0.1).clip(0, 0.8),
    "dimpled": lambda surface: (0.35 * _noise(surface, 22)).clip(0, 0.6),
    "downy": lambda surface: 0.2 + 0.12 * _noise(surface, 9) + 0.3 * (1 - surface[..., 2]).clip(0, 1) * 0.3,
    "seeded": lambda surface: (4 * (_lattice(surface, 7, 9) - 0.78)).clip(0, 1),
    "speckled": lambda surface: (1.6 * (_noise(surface, 13) - 1.1)).clip(0, 0.85),
    "striped": lambda surface: (1.6 * np.sin(8 * _longitude(surface) + 0.8 * _noise(surface, 5))).clip(0, 1),
    "tiled": lambda surface: (1.3 - 2.2 * (_lattice(surface, 6, 9) + 0.25).clip(0, 1)).clip(0, 1),
}
"""Share of the accent, 0 to 1, at points of the unit sphere (height, width, 3)."""


def _light(skin: Array, normal: Array, gloss: float, brightness: float) -> Array:
    """One lamp above the left shoulder, a white room around, and the lamp's reflection."""
    lamp = np.array([-0.45, -0.6, 0.66])
    facing = (normal @ lamp).clip(0, 1)[..., None]
    rim = (1 - normal[..., 2:]) ** 3
    halfway = lamp + np.array([0, 0, 1])  # between lamp and viewer
    halfway /= np.linalg.norm(halfway)
    reflection = 200 * gloss * (normal @ halfway).clip(0, 1)[..., None] ** 40
    return np.asarray(skin * brightness * (0.52 + 0.58 * facing) * (1 - 0.25 * rim) + reflection)


def _growths(fruit: Fruit, u: Array, v: Array, rng: np.random.Generator) -> Iterator[tuple[Array, Colour]]:
    """Leaves, then the stalk: how far inside each pixel is, and the colour."""
    top = v + 0.93
    lean = rng.uniform(-0.3, 0.3)
    for leaf in range(fruit.leaves):
        spread = (leaf - (fruit.leaves - 1) / 2) * 2.2 / fruit.leaves if fruit.leaves > 1 else 1.0
        angle = spread + lean * 0.5
        along = u * np.sin(angle) - top * np.cos(angle)
        across = u * np.cos(angle) + top * np.sin(angle)
        length = 0.5
        yield 0.11 * np.sin(np.pi * (along / length).clip(0, 1)) - np.abs(across), (70, 130, 48)
    if fruit.stalk:
        height = (-top / fruit.stalk).clip(-0.2, 1)
        distance = np.hypot(u - lean * fruit.stalk * height**2, top + height * fruit.stalk)
        yield 0.045 - distance, (98, 74, 40)


def _cover(below: Array, above: Array, inside: Array) -> Array:
    """``above`` where ``inside`` is positive; OVERSAMPLING smooths the edge."""
    return np.where(inside[..., None] > 0, above, below)


if __name__ == "__main__":
    main()
