"""Fits a line to each phase that ``make bench`` measured: seconds for no image, and per image.

Each line goes through the seconds at two numbers of images. Some phases use all cores, some use one, and
some take the same time for any number of images.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Self

from benchmarks.phases import OF_ONE_CORE, SAME_FOR_ANY, SPREAD


@dataclass(frozen=True)
class Line:
    """Seconds of a phase.

    Args:
        fixed: Seconds for no image at all.
        per_image: Seconds per image; of one core if the phase is spread.
        spread: Whether the phase uses all cores.
    """

    fixed: float
    per_image: float
    spread: bool

    def seconds(self, images: int, cores: int) -> float:
        return self.fixed + self.per_image * images / (cores if self.spread else 1)


@dataclass(frozen=True)
class Point:
    """A number of images, and the seconds that they took."""

    images: int
    seconds: float


def fit_line(few: Point, many: Point, cores: int, *, spread: bool) -> Line:
    """Fit a line through two points, with no negative part: small phases are mostly noise."""
    slope = max(0.0, (many.seconds - few.seconds) / (many.images - few.images))
    fixed = max(0.0, few.seconds - slope * few.images)
    return Line(fixed, slope * (cores if spread else 1), spread)


@dataclass(frozen=True)
class Results:
    """Results of ``make bench``: seconds by name at ``images``, and by another name at ``many``."""

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
    """Return the lines of the three jobs in float32: phases, start-up, and time between phases."""
    of_one_core = [phase for phase in OF_ONE_CORE if f"many: {phase}" in results.seconds]
    lines = [
        results.line(f"orchard float32: {phase}", f"many: {phase}", spread=phase in SPREAD)
        for phase in (*SPREAD, *of_one_core)
    ]
    both = ((f"orchard float32: {phase}", f"many: {phase}") for phase in SAME_FOR_ANY)
    fixed = [mean(results.seconds[name] for name in names) for names in both]
    of_phases = sum(
        results.seconds[f"orchard float32: {phase}"] for phase in (*SPREAD, *of_one_core, *SAME_FOR_ANY)
    )
    between = results.seconds["orchard float32 with start-up"] - of_phases
    return lines + [Line(seconds, 0.0, spread=False) for seconds in (*fixed, between)]


def notebook_lines(results: Results) -> list[Line]:
    """Return the lines of features and ``ml.PCA``. The SVD and building the models take a fixed time."""
    return [
        Line(results.seconds["notebook session"], 0.0, spread=False),
        results.line("notebook features", "notebook features, many", spread=True),
        results.line("notebook components", "notebook components, many", spread=True),
    ]
