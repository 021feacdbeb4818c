"""The tables of a report, computed from the facts. Pure."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from orchard.report.facts import Extremes, Facts, Picture

PAIRS = 12
"""Maximum number of listed pairs of confused labels."""

LABELS = 200
"""Maximum number of listed labels."""


@dataclass(frozen=True)
class LabelRow:
    """One label: ``images`` counts all images, the rest describes the sample.

    Args:
        name: The label.
        place: Its number in the sample.
        images: Number of images in the result.
        right: Share of its images whose nearest neighbour has the same label.
        silhouette: From -1 to 1; None if there is only one label.
        spread: Root mean square distance to the mean of its images.
        closest: The label nearest to it.
        typical: The image nearest to the mean.
    """

    name: str
    place: int
    images: int
    right: float
    silhouette: float | None
    spread: float
    closest: str | None
    typical: Picture


@dataclass(frozen=True)
class Confusion:
    """Images of ``label`` whose nearest neighbour is one of ``other``, and one such pair."""

    label: str
    other: str
    images: int
    picture: Picture
    neighbour: Picture


@dataclass(frozen=True)
class Component:
    """One component: its number from 1, its explained variance ratio, and the images at its ends."""

    number: int
    share: float
    extremes: Extremes


@dataclass(frozen=True)
class Span:
    """A time span, from ``start`` to ``end`` in seconds from the first span; ``parts`` are its phases."""

    name: str
    start: float
    end: float
    parts: tuple[tuple[str, float], ...] = ()

    @property
    def seconds(self) -> float:
        return self.end - self.start


def label_rows(facts: Facts) -> list[LabelRow]:
    """Return the labels of the sample, hardest to distinguish first."""
    sample, separation = facts.sample, facts.separation
    right = _nearest_labels(facts) == sample.labels
    rows = []
    for place, name in enumerate(sample.names):
        silhouette, closest = float(separation.silhouette[place]), int(separation.closest[place])
        rows.append(
            LabelRow(
                name=name,
                place=place,
                images=facts.label_counts[name],
                right=float(right[sample.labels == place].mean()),
                silhouette=None if np.isnan(silhouette) else silhouette,
                spread=float(separation.spread[place]),
                closest=sample.names[closest] if closest >= 0 else None,
                typical=sample.pictures[separation.typical[place]],
            )
        )
    return sorted(rows, key=lambda row: (row.right, row.silhouette or 0, row.name))[:LABELS]


def share_right(facts: Facts) -> float:
    """Return the share of the sample whose nearest neighbour has the same label."""
    return float((_nearest_labels(facts) == facts.sample.labels).mean())


def confusions(facts: Facts) -> list[Confusion]:
    """Return the pairs of labels that nearest neighbours confuse, most frequent first."""
    sample, nearest = facts.sample, facts.separation.nearest
    others = _nearest_labels(facts)
    wrong = np.flatnonzero((others != sample.labels) & (nearest >= 0))
    counted = Counter((int(sample.labels[row]), int(others[row])) for row in wrong)
    examples = {(int(sample.labels[row]), int(others[row])): int(row) for row in wrong[::-1]}
    return [
        Confusion(
            sample.names[label],
            sample.names[other],
            images,
            sample.pictures[examples[label, other]],
            sample.pictures[nearest[examples[label, other]]],
        )
        for (label, other), images in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]
    ]


def component_rows(facts: Facts) -> list[Component]:
    """Return the first components with their extremes."""
    return [
        Component(place, float(facts.basis.ratio[place - 1]), extremes)
        for place, extremes in enumerate(facts.extremes, 1)
    ]


def timeline(facts: Facts) -> list[Span]:
    """Return the time spans that the run recorded."""
    moments: list[tuple[str, datetime, datetime, tuple[tuple[str, float], ...]]] = []
    cluster = facts.run.get("cluster", {}).get("timeline") or {}
    if cluster.get("CreationDateTime") and cluster.get("ReadyDateTime"):
        start, ready = (datetime.fromisoformat(cluster[f"{name}DateTime"]) for name in ("Creation", "Ready"))
        moments.append(("cluster starts", start, ready, ()))
    for name, times in facts.run.get("times", {}).items():
        start, end = map(datetime.fromisoformat, times)
        moments.append((name, start, end, tuple(facts.run["phases"][name].items())))
    if not moments:
        return []
    first = min(start for _, start, _, _ in moments)
    return [
        Span(name, (start - first).total_seconds(), (end - first).total_seconds(), parts)
        for name, start, end, parts in moments
    ]


def _nearest_labels(facts: Facts) -> np.ndarray:
    nearest = facts.separation.nearest
    return np.where(nearest >= 0, facts.sample.labels[nearest], facts.sample.labels)
