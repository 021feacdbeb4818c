"""How long, and for how much, on a cluster of so many cores: an estimate from what ``make bench`` measured.

    python -m benchmarks.sizing benchmarks/results.json

Each phase is a line through its seconds at two numbers of images: what it takes for none, and for one more.
Some phases are spread over all cores, some are one core's. Not in it: that cores of a cluster are not those
of this machine, S3 beyond what overlaps with inference, Spot, lost nodes.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

IMAGES = (10**5, 10**6, 10**7, 10**8)
CORES = (4, 16, 64, 256)
CORES_PER_NODE = 4
CLUSTER_START = 420.0  # seconds from RunJobFlow to the first step: an assumption, EMR promises none
NODE_PRICE = 0.192 * 1.25  # $ an hour: m5.xlarge on demand in us-east-1, and EMR's fee on top
SPREAD = ("featurize", "statistics", "project")
OF_ONE_CORE = (
    *("list", "fit", "csv", "rejects", "outcomes"),
    *("start-up of featurize", "start-up of reduce", "start-up of export"),
)


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
    cores: int
    seconds: Mapping[str, float]

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        content = json.loads(data)
        return cls(content["images"], content["many"], content["machine"]["cores"], content["measures"])

    def line(self, at_images: str, at_many: str, *, spread: bool) -> Line:
        few, many = Point(self.images, self.seconds[at_images]), Point(self.many, self.seconds[at_many])
        return fit_line(few, many, self.cores, spread=spread)


def orchard_lines(results: Results) -> list[Line]:
    """Every phase of the three jobs, float32, and their start-up."""
    return [
        results.line(f"orchard float32: {phase}", f"many: {phase}", spread=phase in SPREAD)
        for phase in (*SPREAD, *OF_ONE_CORE)
    ]


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


def main(tokens: list[str]) -> int:
    results = Results.from_json(Path(tokens[0]).read_bytes())
    if results.many <= results.images:
        print("orchard: results of one number of images; a line needs two: MANY above N", file=sys.stderr)
        return 2
    print(to_table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
