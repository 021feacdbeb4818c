"""Measured rates of the lake's own clusters, which replace an estimate's assumptions. Reads run.json."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from statistics import median
from typing import Any

from orchard.lake.run_index import RunIndex
from orchard.settings.cluster import Cost

FEWEST_RUNS = 3
"""Minimum runs: fewer may be outliers."""

LOOKED_AT = 10
"""Number of newest runs to consider."""

FEWEST_IMAGES = 1000
"""Minimum images of a run: with fewer, the start of the workers dominates."""

WIDEST = 10.0
"""Maximum factor between a measured rate and the setting, because nodes report the measurements."""

Run = Mapping[str, Any]


def observe(index: RunIndex, cost: Cost) -> Cost:
    """Return ``cost`` with medians of the newest runs on EMR; with too few runs, the setting stays.

    Runs on a local EMR do not count: its clusters start immediately.
    """
    runs = [run for run in map(index.describe, index.names[:LOOKED_AT]) if _was_on_aws(run)]
    rate = _median(runs, _images_per_core, cost.images_per_core)
    boot = _median(runs, _boot_seconds, float(cost.boot_seconds))
    return replace(cost, images_per_core=rate, boot_seconds=round(boot))


def _was_on_aws(run: Run) -> bool:
    """Whether a run was on AWS. Runs of earlier versions do not record it: they may have been local."""
    return (run.get("cluster") or {}).get("local") is False


def _median(runs: list[Run], measure: Callable[[Run], float | None], setting: float) -> float:
    found = [value for run in runs if (value := _measure(run, measure)) is not None]
    if len(found) < FEWEST_RUNS or not setting:
        return setting
    return min(max(median(found), setting / WIDEST), setting * WIDEST)


def _measure(run: Run, measure: Callable[[Run], float | None]) -> float | None:
    """Return a run's measurement; None if an earlier version did not record it."""
    try:
        return measure(run)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _images_per_core(run: Run) -> float | None:
    """Return the rate of the whole featurize job, including reads and the start of the workers."""
    images = run["counts"]["featurized"] + run["counts"]["rejected"]
    seconds = run["phases"]["featurize"]["featurize"]
    return images / (seconds * run["estimate"]["cores"]) if images >= FEWEST_IMAGES else None


def _boot_seconds(run: Run) -> float:
    timeline = run["cluster"]["timeline"]
    created, ready = (datetime.fromisoformat(timeline[f"{name}DateTime"]) for name in ("Creation", "Ready"))
    return (ready - created).total_seconds()
