"""Colours and shapes of labels: few enough to distinguish, different for neighbouring labels. Pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COLOURS = 7
"""Okabe and Ito's palette, without the yellow, which is invisible on white; ``--c0`` to ``--c6`` in
style.css: https://jfly.uni-koeln.de/color/"""

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")


SWATCHES = {
    "circle": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z",
    "square": "M-4.500-4.500h9v9h-9Z",
    "triangle-up": "M0-5L5.500 4.500h-11Z",
    "diamond": "M0-6L4.500 0L0 6L-4.500 0Z",
    "triangle-down": "M0 5L5.500-4.500h-11Z",
    "cross": "M-1.800-5h3.600v3.200h3.200v3.600h-3.200v3.200h-3.600v-3.200h-3.200v-3.600h3.200Z",
    "triangle-right": "M5 0L-4.500 5.500v-11Z",
}
"""The shapes as SVG paths, about 10 wide."""


@dataclass(frozen=True)
class Style:
    """How a label's points are drawn."""

    colour: int
    shape: str


def assign_styles(centres: npt.NDArray[np.float64]) -> tuple[Style, ...]:
    """Return a style for each label.

    Up to seven labels have their own colour and shape. Each further label takes the colour whose labels are
    furthest away, so that it differs from its neighbours, and the next shape of that colour.

    Args:
        centres: (labels, 2), the means of their points, most important label first.
    """
    taken: list[int] = []
    uses = [0] * COLOURS
    styles = []
    for place, centre in enumerate(centres):
        if place < COLOURS:
            colour = place
        else:
            away = np.linalg.norm(centres[:place] - centre, axis=1)
            nearest = [away[np.array(taken) == colour].min() for colour in range(COLOURS)]
            colour = int(np.argmax(nearest))
        # Each colour starts with a different shape, so the first seven labels differ in both.
        styles.append(Style(colour, SHAPES[(colour + uses[colour]) % len(SHAPES)]))
        uses[colour] += 1
        taken.append(colour)
    return tuple(styles)
