"""What the script of the page knows of the sample: data, as columns. Pure."""

from typing import Any

import numpy as np

from orchard.report.facts import Facts, Sample
from orchard.report.formats import percent, rounded, shorten
from orchard.report.page.charts import LONGEST_LABEL
from orchard.report.page.styles import Style, assign_styles
from orchard.report.page.thumbnail_uris import to_base64

LONGEST_PATH = 120


def points(facts: Facts, shown: int, thumbnails: int) -> dict[str, Any]:
    """Return labels with their styles, and labels, paths, components and thumbnails of the images.

    Args:
        facts: The run.
        shown: Number of components.
        thumbnails: Characters of base64 that there is room for; where that is too little for all, those that
            are left out are evenly spread.
    """
    sample = facts.sample
    styles = _styles_of(sample)
    columns = sample.components.T[:shown].tolist()
    return {
        "labels": [shorten(name, LONGEST_LABEL) for name in sample.names],
        "colours": [style.colour for style in styles],
        "shapes": [style.shape for style in styles],
        "label": sample.labels.tolist(),
        "path": [shorten(picture.path, LONGEST_PATH) for picture in sample.pictures],
        "components": [[rounded(value) for value in column] for column in columns],
        # As text, so that the page says the same wherever it says it.
        "shares": [percent(share) for share in facts.basis.ratio[:shown].tolist()],
        "thumbnails": to_base64([picture.thumbnail for picture in sample.pictures], thumbnails),
    }


def _styles_of(sample: Sample) -> list[Style]:
    """Return a style for each label: what is apart is measured in the map that is seen first."""
    across, up = sample.components[:, 0], sample.components[:, min(1, sample.components.shape[1] - 1)]
    seen = np.stack([across, up], axis=1)
    spread = seen.std(axis=0)
    seen /= np.where(spread > 0, spread, 1)
    by_size = np.argsort(-np.bincount(sample.labels), kind="stable").tolist()
    centres = np.array([seen[sample.labels == label].mean(axis=0) for label in by_size])
    found = dict(zip(by_size, assign_styles(centres), strict=True))
    return [found[label] for label in range(len(sample.names))]
