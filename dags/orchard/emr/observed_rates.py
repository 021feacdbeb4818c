"""What the lake's own clusters took: an estimate reckons with it instead of the settings. Reads run.json."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from statistics import median
from typing import Any

from orchard.lake.run_index import RunIndex
from orchard.settings.cluster import Cost

FEWEST_RUNS = 3
"""Fewer may have been odd ones."""

LOOKED_AT = 10
"""Runs, the newest first."""

FEWEST_IMAGES = 1000
"""Of fewer it is the start of the workers that takes the time."""

WIDEST = 10.0
"""How many times the setting, or which part of it, is believed at most: nodes have measured it."""

Run = Mapping[str, Any]


def observe(index: RunIndex, cost: Cost) -> Cost:
    """Return ``cost`` with the medians of what the newest runs on EMR took; a setting where too few tell.

    Clusters of a local EMR start at once, and tell nothing of AWS.
    """
    runs = [run for run in map(index.describe, index.names[:LOOKED_AT]) if _was_on_aws(run)]
    rate = _median(runs, _images_per_core, cost.images_per_core)
    boot = _median(runs, _boot_seconds, float(cost.boot_seconds))
    return replace(cost, images_per_core=rate, boot_seconds=round(boot))


def _was_on_aws(run: Run) -> bool:
    """Runs of earlier versions do not say so: theirs may have been on a local EMR."""
    return (run.get("cluster") or {}).get("local") is False


def _median(runs: list[Run], measure: Callable[[Run], float | None], setting: float) -> float:
    found = [value for run in runs if (value := _measure(run, measure)) is not None]
    if len(found) < FEWEST_RUNS or not setting:
        return setting
    return min(max(median(found), setting / WIDEST), setting * WIDEST)


def _measure(run: Run, measure: Callable[[Run], float | None]) -> float | None:
    """Return what a run tells; None where an earlier version wrote less of it."""
    try:
        return measure(run)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _images_per_core(run: Run) -> float | None:
    """Of the whole featurize job: what reading takes, and the start of the workers, is in it."""
    images = run["counts"]["featurized"] + run["counts"]["rejected"]
    seconds = run["phases"]["featurize"]["featurize"]
    return images / (seconds * run["estimate"]["cores"]) if images >= FEWEST_IMAGES else None


def _boot_seconds(run: Run) -> float:
    timeline = run["cluster"]["timeline"]
    created, ready = (datetime.fromisoformat(timeline[f"{name}DateTime"]) for name in ("Creation", "Ready"))
    return (ready - created).total_seconds()
