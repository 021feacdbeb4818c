"""The sample's data for the page's script, as columns. Pure."""

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
        thumbnails: Maximum characters of base64; if that is too little for all, an evenly spaced subset is
        kept.
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
        # Formatted here, so that the whole page shows the same text.
        "shares": [percent(share) for share in facts.basis.ratio[:shown].tolist()],
        "thumbnails": to_base64([picture.thumbnail for picture in sample.pictures], thumbnails),
    }


def _styles_of(sample: Sample) -> list[Style]:
    """Return a style for each label, by distances in the map that is shown first."""
    across, up = sample.components[:, 0], sample.components[:, min(1, sample.components.shape[1] - 1)]
    seen = np.stack([across, up], axis=1)
    spread = seen.std(axis=0)
    seen /= np.where(spread > 0, spread, 1)
    by_size = np.argsort(-np.bincount(sample.labels), kind="stable").tolist()
    centres = np.array([seen[sample.labels == label].mean(axis=0) for label in by_size])
    found = dict(zip(by_size, assign_styles(centres), strict=True))
    return [found[label] for label in range(len(sample.names))]
