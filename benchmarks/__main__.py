"""``make bench``: Orchard, the notebook pipeline, the peers and the bare runtime; a table and results.json.

All results are ratios of two contenders in the same round. Absolute seconds are in ``measures``, to show
where the time goes; on a shared machine they differ from day to day.
"""

import json
import shutil
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.agreement import DisagreementError
from benchmarks.comparisons import Bench, Folders
from benchmarks.contenders.bare_runtime import BareRuntime
from benchmarks.contenders.jobs import PEERS_PYTHON
from benchmarks.figures import Round, find_further_image, find_numbers, format_table, medians, summarize
from benchmarks.machine import describe_machine, has_fast_bfloat16, measure_node
from benchmarks.pictures import (
    NotEnoughImagesError,
    choose,
    copy_images,
    draw_images,
    find_images,
    load_pixels,
    usable_cores,
)
from benchmarks.processes import CommandError
from local_spark.model import provide_model
from orchard_jobs.contract import Precision
from orchard_jobs.errors import OrchardError
from orchard_jobs.models.model_card import read_card

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".orchard" / "benchmarks"
COMMITTED = ROOT / "benchmarks" / "results.json"
PEERS = ("daft", "ray")
PIXELS = 128  # images prepared for the bare runtime
BARE_IMAGES = 2000
FEW = 2000
DEMO_IMAGES = 300
MOST_SECONDS = 600  # for a round
QUICK = 1000  # below this N, MANY is N and only QUICK_PARTS run: a smoke test
QUICK_PARTS = ("pipelines", "features")
ALL_PARTS = (*Bench.ROUND, *Bench.ONCE)


@dataclass(frozen=True)
class Request:
    """The options of the command line."""

    images: Path | None
    weights: Path | None
    model: Path | None
    count: int
    many: int
    rounds: int
    parts: tuple[str, ...]
    has_peers: bool
    results: Path

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Self:
        """Read the command line.

        Raises:
            OrchardError: if a number or a part is invalid.
        """
        parser = ArgumentParser(prog="python -m benchmarks", description="See `make bench`.")
        parser.add_argument("--images", type=_to_path, help="a folder of images (default: drawn ones)")
        parser.add_argument("--weights", type=_to_path, help="Keras MobileNetV2 weights")
        parser.add_argument("--model", type=_to_path, help="folder of a model artefact, instead of --weights")
        parser.add_argument("--count", default="3000", help="images of the smaller run")
        parser.add_argument("--many", help="images of the larger run")
        parser.add_argument("--rounds", default="3")
        parser.add_argument("--parts", help=f"some of: {' '.join(ALL_PARTS)}")
        parser.add_argument("--no-peers", action="store_true", help="leave out Daft and Ray Data")
        parser.add_argument("--results", type=_to_path, default=COMMITTED, help="results file to write")
        given = parser.parse_args(arguments)
        count = _to_count("--count", given.count)
        return cls(
            images=given.images,
            weights=given.weights,
            model=given.model,
            count=count,
            many=_to_count("--many", given.many or str(10_000 if count >= QUICK else count)),
            rounds=_to_count("--rounds", given.rounds),
            parts=_to_parts(given.parts) if given.parts else (ALL_PARTS if count >= QUICK else QUICK_PARTS),
            has_peers=not given.no_peers,
            results=given.results,
        )


def _to_count(option: str, given: str) -> int:
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise OrchardError(
            f"{option}={given}", rule="it must be a whole number, at least 1", remedy="correct it"
        )
    return int(given)


def _to_parts(given: str) -> tuple[str, ...]:
    parts = tuple(given.split())
    if not parts or not set(parts) <= set(ALL_PARTS):
        rule = f"the parts are {' '.join(ALL_PARTS)}"
        raise OrchardError(f"--parts={given}", rule=rule, remedy="Name some of these")
    return parts


def _to_path(given: str) -> Path:
    """Return a path or file URI as a path. No shell expands the ~ in ``make bench IMAGES=~/fruits``."""
    return Path(given.removeprefix("file://")).expanduser().absolute()


def main() -> int:
    try:
        run(Request.parse(sys.argv[1:]))
    except (OrchardError, NotEnoughImagesError, CommandError, DisagreementError) as error:
        print(f"\norchard: {error}", file=sys.stderr)
        return 2
    return 0


def run(request: Request) -> None:
    """Measure round after round, and write the results after each: an interruption loses one round only."""
    bench = _prepare(request)
    measured: list[Round] = []
    seconds: list[float] = []
    for number in range(1, request.rounds + 1):
        print(f"round {number} of {request.rounds}", flush=True)
        started = time.perf_counter()
        measured.append({**measure_node(), **_measure(request, bench, Bench.ROUND)})
        seconds.append(round(time.perf_counter() - started, 1))
        print(f"  the round took {seconds[-1]:.0f} s; its limit is {MOST_SECONDS}", flush=True)
        _write(request, bench, measured, seconds)
    if set(request.parts) & set(Bench.ONCE):
        print("once", flush=True)
        measured.append(_measure(request, bench, Bench.ONCE))
        _write(request, bench, measured, seconds)
    print(f"\n{_format_results(request.results)}\n\nresults: {request.results}")


def _format_results(results: Path) -> str:
    content = json.loads(results.read_bytes())
    return format_table(content["figures"], find_numbers(content))


def _prepare(request: Request) -> Bench:
    """Prepare what must not count for any contender."""
    if request.has_peers and "features" in request.parts and not PEERS_PYTHON.exists():
        raise OrchardError(
            "no environment for Daft and Ray Data",
            rule="`make bench` creates it in .venv-peers",
            remedy="Run make bench, or leave the peers out: PEERS=0",
        )
    cores = usable_cores()
    model = request.model or _local(provide_model(request.weights, STATE).uri)
    read_card(f"file://{model}")  # before it is used for a measurement
    source = request.images or draw_images(STATE / "drawn", max(request.count, request.many, DEMO_IMAGES))
    print(f"{cores} cores; {request.count} and {request.many} images", flush=True)
    folder = STATE / "round"
    shutil.rmtree(folder, ignore_errors=True)
    many = copy_images(source, request.many, STATE / "many")
    files = find_images(many)
    bench = Bench(
        folder=folder,
        cores=cores,
        model=model,
        weights=request.weights,
        images=Folders(
            images=copy_images(source, request.count, STATE / "images"),
            many=many,
            few=copy_images(source, FEW, STATE / "few") if request.many >= 2 * FEW else None,
            demo=copy_images(source, DEMO_IMAGES, STATE / "demo") if "demo" in request.parts else None,
        ),
        bare=BareRuntime(
            model, load_pixels(many, PIXELS), choose(files, min(BARE_IMAGES, len(files))), cores
        ),
        peers=PEERS if request.has_peers else (),
        precisions=[Precision.FLOAT32, *([Precision.BFLOAT16] if has_fast_bfloat16() else [])],
    )
    if "features" in request.parts:
        print(f"bare runtime: fastest with {bench.bare.batch_size} images per inference", flush=True)
    if "demo" in request.parts:
        print("make demo, once beforehand: the first run on a machine fills its caches", flush=True)
        bench.measure_demo()
    return bench


def _local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def _measure(request: Request, bench: Bench, parts: Sequence[str]) -> Round:
    """Run the requested ones of ``parts``, in their order."""
    measured: dict[str, float] = {}
    for part in parts:
        if part in request.parts:
            measured |= bench.run(part)
    return measured | find_further_image(measured, request.count, request.many)


def _write(request: Request, bench: Bench, measured: Sequence[Round], seconds: Sequence[float]) -> None:
    content: dict[str, Any] = {
        "machine": describe_machine(bench.cores),
        "images": request.count,
        "many": request.many,
        "few": FEW if bench.images.few else request.count,
        "rounds": len(seconds),
        "seconds per round": seconds,
        "cores busy before a contender, at most": bench.busy,
        "figures": summarize(measured),
        "measures": medians(measured),
    }
    request.results.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
