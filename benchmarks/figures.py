"""Computes ratios within a round and medians over rounds, and compares them with committed ones.

A ratio compares two contenders that ran one after the other in the same round; the result is the median of
these ratios. On a shared machine, seconds of different hours are not comparable.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Round = Mapping[str, float]
"""The measures of one round, by name."""

MOVED = 0.15
"""A ratio has moved if it differs from the committed one by more than this share."""

_HOLDS: dict[str, Callable[[float, float], bool]] = {"≥": operator.ge, "≤": operator.le}


@dataclass(frozen=True)
class Figure:
    """A ratio of two measures, or a single measure, and its target.

    Args:
        name: Its name in the tables. ``N``, ``MANY`` and ``FEW`` stand for numbers of images.
        above: Name of the numerator.
        below: Name of the denominator; None: the figure is ``above`` itself, in its unit.
        sign: ``≥`` if more is better, ``≤`` if less is better; '' if the figure has no target.
        target: The value to reach.
    """

    name: str
    above: str
    below: str | None = None
    sign: str = ""
    target: float = 0.0

    def of(self, measured: Round) -> float | None:
        """Return the figure of one round, or None if the round did not measure it."""
        if self.above not in measured or (self.below is not None and self.below not in measured):
            return None
        return measured[self.above] / (1 if self.below is None else measured[self.below])

    def compare_with_target(self, value: float) -> dict[str, Any]:
        """Return the target, and whether ``value`` reaches it; {} without a target."""
        if not self.sign:
            return {}
        return {"target": f"{self.sign} {self.target:g}", "reached": _HOLDS[self.sign](value, self.target)}


_TO_CSV = "N images to CSV, float32"
_FEATURES = "MANY images to Parquet of features"

FIGURES = (
    Figure(f"featurize / Daft, {_FEATURES}", "featurize float32", "daft", "≥", 1.05),
    Figure(f"featurize / Ray Data, {_FEATURES}", "featurize float32", "ray", "≥", 1.30),
    Figure("featurize / bare runtime on tensors", "featurize float32", "bare, tensors", "≥", 0.80),
    Figure("featurize / bare runtime with decode", "featurize float32", "bare, decode", "≥", 0.92),
    Figure(
        f"notebook pipeline / three steps, {_TO_CSV}, without session start-up",
        "notebook", "orchard float32", "≥", 5,
    ),
    Figure(
        f"notebook pipeline / three steps, {_TO_CSV}, with session start-up",
        "notebook with start-up", "orchard float32 with start-up", "≥", 4,
    ),
    Figure(
        f"notebook pipeline / one application, {_TO_CSV}, without session start-up",
        "notebook", "orchard in one application float32", "≥", 7,
    ),
    Figure(
        "notebook pipeline / one application, N images to CSV, bfloat16, without session start-up",
        "notebook", "orchard in one application bfloat16", "≥", 11,
    ),
    Figure(
        "one more image, notebook pipeline / three steps, from N to MANY images",
        "notebook, one more image", "orchard, one more image", "≥", 3.5,
    ),
    Figure("`ml.PCA` / reduce, MANY rows, including writes", "ml.PCA", "reduce", "≥", 4),
    Figure("`ml.PCA` / reduce, 100,000 rows, including writes", "ml.PCA, rows", "reduce, rows", "≥", 12),
    Figure(
        "refit with 1 % new / first fit, 400,000 rows: statistics and fit", "refit", "first fit", "≤", 0.10
    ),
    Figure("`make demo` of 300 images after set-up, seconds", "demo", None, "≤", 30),
    Figure("of these, seconds of its three jobs", "demo: jobs"),
    Figure(
        "seconds per image of MANY / of FEW",
        "seconds per image, many", "seconds per image, few", "≤", 1.05,
    ),
    Figure("images/s with 30 ms added to every GET / without", "slow store", "store", "≥", 0.96),
    Figure("peak MB of a Python worker", "peak MB of a worker, float32", None, "≤", 332),
    Figure("peak MB of the driver's Python, featurize", "peak MB of a driver, float32", None, "≤", 1024),
    Figure("peak MB of the driver's Python, reduce", "peak MB of a driver, reduce", None, "≤", 1024),
    Figure("bytes of a node / with TensorFlow", "node bytes", "node bytes with TensorFlow", "≤", 0.21),
)  # fmt: skip


_AT_BOTH = {
    "notebook": [(f"notebook {part}", f"notebook {part}, many") for part in ("features", "components")],
    "orchard": [
        (f"orchard float32: all of {job}", f"many: all of {job}") for job in ("featurize", "reduce", "export")
    ],
}
"""Measures with N images, and their counterparts with MANY."""


def find_further_image(measured: Round, images: int, many: int) -> dict[str, float]:
    """Return the milliseconds per additional image, between ``images`` and ``many`` of them.

    For the notebook pipeline and for Orchard in three steps, both without session start-up. Empty if the
    round did not measure all of this.
    """
    names = {name for pairs in _AT_BOTH.values() for pair in pairs for name in pair}
    if many <= images or not names <= measured.keys():
        return {}
    more = {side: sum(measured[b] - measured[a] for a, b in pairs) for side, pairs in _AT_BOTH.items()}
    return {f"{side}, one more image": 1000 * seconds / (many - images) for side, seconds in more.items()}


def summarize(rounds: Sequence[Round], figures: Iterable[Figure] = FIGURES) -> dict[str, dict[str, Any]]:
    """Return the median of each measured figure, the value of each round, and the target."""
    summary = {}
    for figure in figures:
        values = [value for value in map(figure.of, rounds) if value is not None]
        if values:
            middle = median(values)
            summary[figure.name] = {
                "median": round(middle, 4),
                "rounds": [round(value, 4) for value in values],
                **figure.compare_with_target(middle),
            }
    return summary


def medians(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the median of each measure over the rounds that have it."""
    names = dict.fromkeys(name for measured in rounds for name in measured)
    return {name: round(median(m[name] for m in rounds if name in m), 4) for name in names}


def find_moved(now: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Compare two summaries; return a line per figure that became worse, and per figure that became better.

    Figures that only one of them has are left out.
    """
    worse: list[str] = []
    better: list[str] = []
    for name, figure in before.items():
        if name not in now or "target" not in figure:
            continue
        old, new = figure["median"], now[name]["median"]
        change = new / old - 1
        if abs(change) > MOVED:
            more_is_better = figure["target"].startswith("≥")
            lines = better if (change > 0) == more_is_better else worse
            lines.append(f"{name}: {old:.3g} → {new:.3g} ({change:+.0%}; target {figure['target']})")
    return worse, better


def find_numbers(content: Mapping[str, Any]) -> dict[str, int]:
    """Return the values of N, MANY and FEW in ``results.json``."""
    return {"N": content["images"], "MANY": content["many"], "FEW": content["few"]}


def format_table(summary: Mapping[str, Any], numbers: Mapping[str, int]) -> str:
    """Return the summary as a Markdown table.

    Args:
        summary: The result of `summarize`.
        numbers: The result of `find_numbers`.
    """
    lines = ["| figure | median | rounds | aim | |", "|---|---|---|---|---|"]
    for name, figure in summary.items():
        spelled = re.sub("|".join(rf"\b{key}\b" for key in numbers), lambda key: f"{numbers[key[0]]:,}", name)
        rounds = ", ".join(_format_digits(value) for value in figure["rounds"])
        verdict = {True: "reached", False: "missed", None: ""}[figure.get("reached")]
        cells = spelled, _format_digits(figure["median"]), rounds, figure.get("target", ""), verdict
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _format_digits(value: float) -> str:
    """Format three significant digits; large numbers have more."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
