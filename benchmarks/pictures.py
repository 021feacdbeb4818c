"""The images of a benchmark: the same ones for every contender, in their own folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from orchard_jobs.images.decode import Decoded, decode_image

ENDINGS = (".jpg", ".jpeg", ".png")
DRAW = Path(__file__).resolve().parent.parent / "local_airflow" / "sample_images.py"
DRAWN_CLASSES = 12


class NotEnoughImagesError(Exception):
    """The folder has fewer images than requested."""


def find_images(folder: Path) -> list[Path]:
    """Return all image files below ``folder``, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())


def draw_images(folder: Path, count: int) -> Path:
    """Draw at least ``count`` images, if the user gave none."""
    per_class = -(-count // DRAWN_CLASSES)
    command = [
        sys.executable,
        str(DRAW),
        str(folder),
        f"--classes={DRAWN_CLASSES}",
        f"--per-class={per_class}",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def choose(found: Sequence[Path], count: int) -> list[Path]:
    """Take ``count`` of ``found``, evenly spaced, so that every class is included.

    Raises:
        NotEnoughImagesError: if there are fewer.
    """
    if len(found) < count:
        raise NotEnoughImagesError(
            f"{len(found)} images, but {count} are needed: give more, or a smaller N and MANY"
        )
    return [found[place * len(found) // count] for place in range(count)]


def copy_images(source: Path, count: int, target: Path) -> Path:
    """Copy ``count`` of the images below ``source`` to ``target``, and remove everything else there."""
    shutil.rmtree(target, ignore_errors=True)
    for path in choose(find_images(source), count):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return target


def load_pixels(folder: Path, count: int) -> npt.NDArray[np.uint8]:
    """Decode up to ``count`` images, like featurize: (n, 224, 224, 3)."""
    found = find_images(folder)
    outcomes = [decode_image(path.read_bytes()) for path in choose(found, min(count, len(found)))]
    return np.stack([outcome.pixels for outcome in outcomes if isinstance(outcome, Decoded)])


def usable_cores() -> int:
    """Return the cores that this process and its children may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
