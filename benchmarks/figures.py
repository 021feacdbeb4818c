"""The arithmetic: ratios within a round, medians over rounds, and what moved since the committed ones.

A ratio is taken of two sides of the same round, which ran one after the other; the median of these ratios
is what counts. Seconds of different hours on a shared machine say nothing about each other.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Round = Mapping[str, float]
"""What one round measured, by name."""

MOVED = 0.15
"""A ratio that differs by more than this share from the committed one has moved."""

_HOLDS: dict[str, Callable[[float, float], bool]] = {"≥": operator.ge, "≤": operator.le}


@dataclass(frozen=True)
class Figure:
    """A ratio of two measures, or one measure as it is, and what it must reach.

    Args:
        name: What the table calls it.
        above: Measure above the line.
        below: Measure below the line; None: the figure is ``above`` itself, in its unit.
        sign: ``≥`` where more is better, ``≤`` where less is.
        target: What it must reach.
    """

    name: str
    above: str
    below: str | None
    sign: str
    target: float

    def of(self, measured: Round) -> float | None:
        """Return the figure of one round, or None where the round has not measured it."""
        if self.above not in measured or (self.below is not None and self.below not in measured):
            return None
        return measured[self.above] / (1 if self.below is None else measured[self.below])

    def reaches(self, value: float) -> bool:
        return _HOLDS[self.sign](value, self.target)


def _against_notebook(name: str, measure: str) -> tuple[Figure, ...]:
    """From images to CSV: the notebook pipeline's time by the ``measure`` of Orchard."""
    name, all_of_it = f"notebook / {name}", f"{measure} float32 with start-up"
    return (
        Figure(f"{name}, float32, start-up apart", "notebook", f"{measure} float32", "≥", 7),
        Figure(f"{name}, bfloat16, start-up apart", "notebook", f"{measure} bfloat16", "≥", 11),
        Figure(f"{name}, float32, start-up included", "notebook with start-up", all_of_it, "≥", 4),
    )


FIGURES = (
    *_against_notebook("Orchard, one application", "orchard in one application"),
    *_against_notebook("Orchard, three steps", "orchard"),
    Figure("featurize / the limit, float32", "featurize float32", "limit float32", "≥", 0.80),
    Figure("featurize / Daft", "featurize beside peers", "daft", "≥", 1.05),
    Figure("featurize / Ray Data", "featurize beside peers", "ray", "≥", 1.30),
    Figure("ml.PCA / reduce, both write", "ml.PCA", "reduce", "≥", 15),
    Figure("refit with 1 % new / first fit, 400,000 rows", "refit", "first fit", "≤", 0.10),
    Figure("time per image, many / few", "seconds per image, many", "seconds per image, few", "≤", 1.05),
    Figure("images/s, 30 ms added to every GET / without", "slow store", "store", "≥", 0.90),
    Figure("peak MB of a Python worker", "peak MB of a worker, float32", None, "≤", 700),
    Figure("peak MB of the driver's Python, featurize", "peak MB of a driver, float32", None, "≤", 1024),
    Figure("peak MB of the driver's Python, reduce", "peak MB of a driver, reduce", None, "≤", 1024),
    Figure(
        "bytes of a node without / with TensorFlow", "node bytes", "node bytes with TensorFlow", "≤", 0.25
    ),
)


def summarize(rounds: Sequence[Round], figures: Iterable[Figure] = FIGURES) -> dict[str, dict[str, Any]]:
    """Return the median of each figure that was measured, with its target and the value of each round."""
    summary = {}
    for figure in figures:
        values = [value for value in map(figure.of, rounds) if value is not None]
        if values:
            middle = median(values)
            summary[figure.name] = {
                "median": round(middle, 4),
                "rounds": [round(value, 4) for value in values],
                "target": f"{figure.sign} {figure.target:g}",
                "reached": figure.reaches(middle),
            }
    return summary


def medians(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the median of each measure over the rounds that have it."""
    names = dict.fromkeys(name for measured in rounds for name in measured)
    return {name: round(median(m[name] for m in rounds if name in m), 4) for name in names}


def find_moved(now: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Compare two summaries; say which figures became worse, and which better, each in a line.

    A figure that only one of them has is neither: it was not measured here, or not there.
    """
    worse: list[str] = []
    better: list[str] = []
    for name in before:
        if name not in now:
            continue
        old, new = before[name]["median"], now[name]["median"]
        change = new / old - 1
        if abs(change) > MOVED:
            more_is_better = before[name]["target"].startswith("≥")
            lines = better if (change > 0) == more_is_better else worse
            lines.append(f"{name}: {old:.3g} → {new:.3g} ({change:+.0%}; target {before[name]['target']})")
    return worse, better


def to_table(summary: Mapping[str, Any]) -> str:
    """Return the summary as a Markdown table."""
    lines = ["| figure | median | rounds | target | |", "|---|---|---|---|---|"]
    for name, figure in summary.items():
        rounds = ", ".join(f"{value:.3g}" for value in figure["rounds"])
        verdict = "reached" if figure["reached"] else "missed"
        lines.append(f"| {name} | {figure['median']:.3g} | {rounds} | {figure['target']} | {verdict} |")
    return "\n".join(lines)
