"""``make bench``: Orchard, the notebook pipeline and the bare runtime, interleaved; a table and results.json.

Everything is a ratio of two sides of the same round. Absolute seconds are in ``measures``, to see where the
time goes; on a shared machine they say nothing from one day to the next.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.agreement import DisagreementError
from benchmarks.contenders.bare_runtime import Limit
from benchmarks.figures import Round, medians, summarize, to_table
from benchmarks.machine import describe_machine, has_fast_bfloat16, load_average, measure_node
from benchmarks.pictures import (
    NotEnoughImagesError,
    copy_images,
    draw_images,
    load_pixels,
    usable_cores,
)
from benchmarks.processes import CommandError
from benchmarks.sides import Bench
from local_spark.model import provide_model
from orchard_jobs.contract import Precision
from orchard_jobs.errors import OrchardError
from orchard_jobs.models.model_card import read_card

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".orchard" / "benchmarks"
COMMITTED = ROOT / "benchmarks" / "results.json"
PIXELS = 128  # prepared for the limit
LIMIT_IMAGES = 2000
FEW = 2000
PARTS = "pipelines limit reduce refit stores sizing"  # the peers need an environment of their own
QUICK = 1000  # below it, MANY is N, and QUICK_PARTS are all: a look at whether everything works
QUICK_PARTS = "pipelines limit"


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    images: Path | None
    weights: Path | None
    model: Path | None
    count: int
    many: int
    rounds: int
    parts: tuple[str, ...]
    results: Path

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Self:
        """Read the command line.

        Raises:
            OrchardError: for a number that is none, or an unknown part.
        """
        parser = ArgumentParser(prog="python -m benchmarks", description="See `make bench`.")
        parser.add_argument("--images", type=_to_path, help="a folder; drawn ones without it")
        parser.add_argument("--weights", type=_to_path, help="Keras MobileNetV2 weights")
        parser.add_argument("--model", type=_to_path, help="folder of a model artefact, instead")
        parser.add_argument("--count", default="3000", help="images of the small night")
        parser.add_argument("--many", help="images of the large one")
        parser.add_argument("--rounds", default="3")
        parser.add_argument("--parts", help=f"some of: {' '.join(Bench.PARTS)}")
        parser.add_argument("--results", type=_to_path, default=COMMITTED, help="file to write")
        given = parser.parse_args(arguments)
        count = _to_count("--count", given.count)
        return cls(
            images=given.images,
            weights=given.weights,
            model=given.model,
            count=count,
            many=_to_count("--many", given.many or str(10_000 if count >= QUICK else count)),
            rounds=_to_count("--rounds", given.rounds),
            parts=_to_parts(given.parts or (PARTS if count >= QUICK else QUICK_PARTS)),
            results=given.results,
        )


def _to_count(option: str, given: str) -> int:
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise OrchardError(f"{option}={given}", rule="it takes a whole number from 1", remedy="correct it")
    return int(given)


def _to_parts(given: str) -> tuple[str, ...]:
    parts = tuple(given.split())
    if not parts or not set(parts) <= set(Bench.PARTS):
        rule = f"the parts are {' '.join(Bench.PARTS)}"
        raise OrchardError(f"--parts={given}", rule=rule, remedy="name some of them")
    return parts


def _to_path(given: str) -> Path:
    """A path or a URI of a file. No shell expands the ~ in ``make bench IMAGES=~/fruits``."""
    return Path(given.removeprefix("file://")).expanduser().absolute()


def main() -> int:
    try:
        run(Request.parse(sys.argv[1:]))
    except (OrchardError, NotEnoughImagesError, CommandError, DisagreementError) as error:
        print(f"\norchard: {error}", file=sys.stderr)
        return 2
    return 0


def run(request: Request) -> None:
    """Measure round after round, and write the results after each: an end before time loses one round."""
    bench = _prepare(request)
    rounds: list[Round] = []
    for number in range(1, request.rounds + 1):
        print(f"round {number} of {request.rounds}, load {load_average()}", flush=True)
        measured: dict[str, float] = measure_node()
        for part in request.parts:
            measured |= bench.run(part)
        rounds.append(measured)
        _write(request, bench, rounds)
    print(f"\n{to_table(summarize(rounds))}\n\nresults: {request.results}")


def _prepare(request: Request) -> Bench:
    cores, most = usable_cores(), max(request.count, request.many)
    model = request.model or _local(provide_model(request.weights, STATE).uri)
    read_card(f"file://{model}")  # before anything is measured with it
    source = request.images or draw_images(STATE / "drawn", most)
    print(f"{cores} cores; {request.count} and {request.many} images", flush=True)
    images = copy_images(source, request.count, STATE / "images")
    pixels = load_pixels(images, PIXELS)
    precisions = [Precision.FLOAT32, *([Precision.BFLOAT16] if has_fast_bfloat16() else [])]
    limits = {
        precision: Limit(model, precision, pixels, cores, min(LIMIT_IMAGES, request.many))
        for precision in precisions
    }
    for precision, limit in limits.items():
        print(f"the limit, {precision}: {limit.batch_size} images per inference are fastest", flush=True)
    return Bench(
        folder=STATE / "round",
        cores=cores,
        model=model,
        images=images,
        many=copy_images(source, request.many, STATE / "many"),
        few=copy_images(source, FEW, STATE / "few") if request.many >= 2 * FEW else None,
        limits=limits,
    )


def _local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def _write(request: Request, bench: Bench, rounds: list[Round]) -> None:
    content: dict[str, Any] = {
        "machine": describe_machine(bench.cores),
        "images": request.count,
        "many": request.many,
        "few": FEW if bench.few else request.count,
        "rounds": len(rounds),
        "load": load_average(),
        "batch sizes of the limit": {name: limit.batch_size for name, limit in bench.limits.items()},
        "figures": summarize(rounds),
        "measures": medians(rounds),
    }
    request.results.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
