"""``make bench-photographs``: photographs of 1 to 24 megapixels, decoded at full size and scaled.

They are generated from small images: half of them enlarge one image, the other half are mosaics of many, all
with sensor noise. Exact and scaled decoding run one after the other; the result is the median of the rounds.
"""

import math
import multiprocessing
import re
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.machine import limit_cores, wait_until_quiet
from benchmarks.pictures import NotEnoughImagesError, choose, draw_images, find_images
from local_spark.model import provide_model
from orchard_jobs.contract import Decoding, Precision, Runtime
from orchard_jobs.errors import OrchardError
from orchard_jobs.images.decode import Decoded, decode_image
from orchard_jobs.models.runtimes import load_model

STATE = Path(__file__).resolve().parent.parent / ".orchard" / "benchmarks"
MEGAPIXELS = {1: (1152, 864), 4: (2304, 1728), 12: (4000, 3000), 24: (6000, 4000)}
WORKERS = (1, 2)
TILES = 8  # images per row of a mosaic
NOISE = 8.0  # standard deviation, of 255
TABLE = """| megapixels | decoding | ms to decode | images/s of one worker | of two | MB of a worker | cosine, mean | least |
|---|---|---|---|---|---|---|---|"""  # noqa: E501
PATIENCE = 900  # seconds, in case a process hangs


class Share(NamedTuple):
    """The work of one worker."""

    model: str
    photographs: Sequence[Path]
    decoding: Decoding


@dataclass(frozen=True, eq=False)
class Work:
    """The result of one worker.

    Args:
        rate: Images per second, from reading to features.
        decoding: Seconds of decoding and resizing per image.
        memory: Peak memory of the process in MB.
        features: One row per photograph.
    """

    rate: float
    decoding: float
    memory: float
    features: npt.NDArray[np.float32]


def main() -> int:
    parser = ArgumentParser(
        prog="python -m benchmarks.photographs", description="See `make bench-photographs`."
    )
    parser.add_argument("--images", type=_to_path, help="a folder of small images (default: drawn ones)")
    parser.add_argument("--weights", type=_to_path, help="Keras MobileNetV2 weights")
    parser.add_argument("--model", type=_to_path, help="folder of a model artefact, instead of --weights")
    parser.add_argument("--count", type=int, default=12, help="photographs of each size")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    try:
        model = given.model.as_uri() if given.model else provide_model(given.weights, STATE).uri
        images = find_images(given.images or draw_images(STATE / "drawn", 1000))
        print(f"{given.count} photographs of each size, {given.rounds} rounds\n")
        wait_until_quiet()
        print(TABLE, flush=True)
        for megapixels in MEGAPIXELS:
            photographs = build_photographs(images, megapixels, given.count, STATE / "photographs")
            for line in measure(model, photographs, megapixels, given.rounds):
                print(line, flush=True)
    except (OrchardError, NotEnoughImagesError) as error:
        print(f"\norchard: {error}", file=sys.stderr)
        return 2
    return 0


def build_photographs(images: Sequence[Path], megapixels: int, count: int, folder: Path) -> list[Path]:
    """Write ``count`` JPEGs with quality 90 and halved chroma, always the same ones."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, source in enumerate(choose(images, count)):
        generator = np.random.default_rng([megapixels, number])
        picture = _open(source) if number % 2 else _tile(images, generator)
        pixels = np.asarray(picture.resize(MEGAPIXELS[megapixels], Image.Resampling.BICUBIC), np.float32)
        noisy = pixels + generator.normal(0, NOISE, pixels.shape).astype(np.float32)
        paths.append(folder / f"{megapixels}-{number}.jpg")
        Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8)).save(
            paths[-1], quality=90, subsampling="4:2:0"
        )
    return paths


def _open(source: Path) -> Image.Image:
    with Image.open(source) as image:
        return image.convert("RGB")


def _tile(images: Sequence[Path], generator: np.random.Generator) -> Image.Image:
    tiles = [
        _open(images[place]).resize((100, 100)) for place in generator.integers(len(images), size=TILES**2)
    ]
    rows = [
        np.hstack([np.asarray(tile) for tile in tiles[start : start + TILES]])
        for start in range(0, TILES**2, TILES)
    ]
    return Image.fromarray(np.vstack(rows))


def measure(model: str, photographs: Sequence[Path], megapixels: int, rounds: int) -> list[str]:
    """Return a row of the table for each way to decode."""
    done: dict[tuple[Decoding, int], list[list[Work]]] = {}
    for _ in range(rounds):
        for workers in WORKERS:
            for decoding in Decoding:
                works = _run(Share(model, photographs, decoding), workers)
                done.setdefault((decoding, workers), []).append(works)
    exact = done[Decoding.EXACT, 1][0][0].features
    return [_to_line(megapixels, decoding, done, exact) for decoding in Decoding]


def _to_line(
    megapixels: int,
    decoding: Decoding,
    done: dict[tuple[Decoding, int], list[list[Work]]],
    exact: npt.NDArray[np.float32],
) -> str:
    alone = [works[0] for works in done[decoding, 1]]
    rates = [
        median(sum(work.rate for work in works) for works in done[decoding, workers]) for workers in WORKERS
    ]
    cosines = compute_cosines(alone[0].features, exact)
    cells = [
        megapixels,
        decoding,
        f"{1000 * median(work.decoding for work in alone):.0f}",
        *(f"{rate:.1f}" for rate in rates),
        f"{max(work.memory for work in alone):.0f}",
        f"{cosines.mean():.4f}",
        f"{cosines.min():.4f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def compute_cosines(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    first, second = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines: npt.NDArray[np.float64] = (first * second).sum(axis=1) / lengths
    return cosines


def _run(share: Share, workers: int) -> list[Work]:
    """Start workers together, each in a fresh process; a single worker gets one core."""
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(workers), context.Queue()
    with limit_cores(workers):
        processes = [
            context.Process(target=_work, args=(share, begin, results), daemon=True) for _ in range(workers)
        ]
        for process in processes:
            process.start()
    works = [results.get(timeout=PATIENCE) for _ in processes]
    for process in processes:
        process.join()
    return works


def _work(share: Share, begin: Any, results: Any) -> None:
    """Work like featurize: decode a group of images, then infer them one by one."""
    model = load_model(share.model, Runtime.OPENVINO, Precision.FLOAT32, 1)
    size = model.card.image_size
    model.features([np.zeros((size, size, 3), np.uint8)])
    begin.wait(timeout=PATIENCE)
    started = time.perf_counter()
    decoded = [decode_image(path.read_bytes(), size, share.decoding) for path in share.photographs]
    between = time.perf_counter()
    pixels = [image.pixels for image in decoded if isinstance(image, Decoded)]
    features = model.features(pixels)
    ended, count = time.perf_counter(), len(pixels)
    results.put(Work(count / (ended - started), (between - started) / count, _peak_memory(), features))


def _peak_memory() -> float:
    """Return the peak memory in MB, on Linux. With ``getrusage``, a process inherits its parent's peak."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found.group(1)) / 1024 if found else math.nan


def _to_path(given: str) -> Path:
    return Path(given.removeprefix("file://")).expanduser().absolute()


if __name__ == "__main__":
    sys.exit(main())
