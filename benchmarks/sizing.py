"""How long, and for how much, on a cluster of so many cores: an estimate from what ``make bench`` measured.

    python -m benchmarks.sizing benchmarks/results.json

Each phase is a line through its seconds at two numbers of images: what it takes for none, and for one more.
Some phases are spread over all cores, some are one core's, some take the same for any number. Not in it: that
cores of a cluster are not those of this machine, S3 beyond what overlaps with inference, Spot, lost nodes.

Prints the phases that it is made of, the estimate, what it says of runs on one core and on all cores that
were measured too, and images per dollar by family of instances.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Self

from benchmarks import phases
from orchard.prices import hourly_price

IMAGES = (10**5, 10**6, 10**7, 10**8)
CORES = (4, 16, 64, 256)
CORES_PER_NODE = 4
CLUSTER_START = 420.0  # seconds from RunJobFlow to the first step: an assumption, EMR promises none
REGION = "us-east-1"
NODE_PRICE = hourly_price("m5.xlarge", REGION) or 0.0  # dollars an hour, with EMR's fee
AMX = ("m7i", "c7i", "r7i")  # Sapphire Rapids: bfloat16 in hardware
OTHERS = ("m5", "m6i", "c5", "c6i", "m6a")
SPREAD = ("featurize", "statistics", "project")
OF_ONE_CORE = ("csv", "rejects", "outcomes")
SAME_FOR_ANY = ("list", "fit", "start-up of featurize", "start-up of reduce", "start-up of export")
"""Whatever the number of images. ``list``, too: the night's images are listed before there is a cluster."""


@dataclass(frozen=True)
class Line:
    """Seconds of a phase.

    Args:
        fixed: For no image at all.
        per_image: For each image; of one core where it is spread.
        spread: Whether all cores share in it.
    """

    fixed: float
    per_image: float
    spread: bool

    def seconds(self, images: int, cores: int) -> float:
        return self.fixed + self.per_image * images / (cores if self.spread else 1)


@dataclass(frozen=True)
class Point:
    """So many images took so many seconds."""

    images: int
    seconds: float


def fit_line(few: Point, many: Point, cores: int, *, spread: bool) -> Line:
    """Draw the line through two points, neither of its parts below zero: small phases are mostly noise."""
    slope = max(0.0, (many.seconds - few.seconds) / (many.images - few.images))
    fixed = max(0.0, few.seconds - slope * few.images)
    return Line(fixed, slope * (cores if spread else 1), spread)


@dataclass(frozen=True)
class Results:
    """Of ``make bench``: seconds by name, at ``images`` and, with another name, at ``many``."""

    images: int
    many: int
    few: int
    cores: int
    seconds: Mapping[str, float]

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        content = json.loads(data)
        cores = content["machine"]["cores"]
        return cls(content["images"], content["many"], content["few"], cores, content["measures"])

    def line(self, at_images: str, at_many: str, *, spread: bool) -> Line:
        few, many = Point(self.images, self.seconds[at_images]), Point(self.many, self.seconds[at_many])
        return fit_line(few, many, self.cores, spread=spread)


def orchard_lines(results: Results) -> list[Line]:
    """Every phase of the three jobs, float32, their start-up, and what they do between phases."""
    lines = [
        results.line(f"orchard float32: {phase}", f"many: {phase}", spread=phase in SPREAD)
        for phase in (*SPREAD, *OF_ONE_CORE)
    ]
    both = ((f"orchard float32: {phase}", f"many: {phase}") for phase in SAME_FOR_ANY)
    fixed = [mean(results.seconds[name] for name in names) for names in both]
    of_phases = sum(
        results.seconds[f"orchard float32: {phase}"] for phase in (*SPREAD, *OF_ONE_CORE, *SAME_FOR_ANY)
    )
    between = results.seconds["orchard float32 with start-up"] - of_phases
    return lines + [Line(seconds, 0.0, spread=False) for seconds in (*fixed, between)]


def notebook_lines(results: Results) -> list[Line]:
    """Features, each task of which builds the model anew, and ``ml.PCA``, with the driver's SVD."""
    session, features = results.seconds["notebook session"], results.seconds["notebook features"]
    return [
        Line(session, 0.0, spread=False),
        Line(0.0, features * results.cores / results.images, spread=True),
        results.line("notebook components", "ml.PCA", spread=True),
    ]


def estimate(lines: Sequence[Line], images: int, cores: int) -> tuple[float, float]:
    """Return hours, from the request for a cluster to its end, and dollars."""
    hours = (CLUSTER_START + sum(line.seconds(images, cores) for line in lines)) / 3600
    nodes = 1 + -(-cores // CORES_PER_NODE)  # and the primary one
    return hours, hours * nodes * NODE_PRICE


def to_table(results: Results) -> str:
    """Return hours and dollars of both, by images and cores, as a Markdown table."""
    sides = (orchard_lines(results), notebook_lines(results))
    lines = ["| images | cores | Orchard | notebook pipeline |", "|---|---|---|---|"]
    for images in IMAGES:
        for cores in CORES:
            cells = (f"{h:,.1f} h, {d:,.2f} $" for h, d in (estimate(side, images, cores) for side in sides))
            lines.append(f"| {images:,} | {cores} | {' | '.join(cells)} |")
    return "\n".join(lines)


def to_check(results: Results) -> str:
    """Return what the lines say of the measured runs by cores, and what these took."""
    images = int(results.seconds["images by cores"])
    lines = [f"| cores, {images:,} images | measured | by the lines | |", "|---|---|---|---|"]
    for cores in sorted({1, results.cores}):
        measured = results.seconds[f"cores, {cores}"]
        said = sum(line.seconds(images, cores) for line in orchard_lines(results))
        lines.append(f"| {cores} | {measured:.0f} s | {said:.0f} s | {said / measured - 1:+.0%} |")
    return "\n".join(lines)


def to_advice(results: Results) -> str:
    """Return images per dollar of featurize by family, as if each core were one of this machine."""
    lines = ["| xlarge of | $/h | float32 | bfloat16 |", "|---|---|---|---|"]
    for family in (*AMX, *OTHERS):
        price = hourly_price(f"{family}.xlarge", REGION)
        if price is None:
            continue
        rates = [results.seconds["featurize float32"]]
        rates += [results.seconds["featurize bfloat16"]] if family in AMX and has_bfloat16(results) else []
        cells = [f"{rate / results.cores * CORES_PER_NODE * 3600 / price:,.0f}" for rate in rates]
        lines.append(f"| {family} | {price:.3f} | {' | '.join([*cells, ''][:2])} |")
    return "\n".join(lines)


def has_bfloat16(results: Results) -> bool:
    return "featurize bfloat16" in results.seconds


def tell(results: Results) -> str:
    return "\n\n".join(
        (
            phases.to_table(results.seconds, results.many, results.few, results.cores),
            to_table(results),
            to_check(results),
            f"Images per dollar, featurize alone, {REGION}, with EMR's fee:",
            to_advice(results),
        )
    )


def main(tokens: list[str]) -> int:
    results = Results.from_json(Path(tokens[0]).read_bytes())
    if results.many <= results.images:
        print("orchard: results of one number of images; a line needs two: MANY above N", file=sys.stderr)
        return 2
    try:
        print(tell(results))
    except KeyError as missing:
        print(f"orchard: {tokens[0]} has no {missing}: measure all parts, make bench", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
