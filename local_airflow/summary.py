"""The summary at the end of a demo. Pure: what run.json says, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IMAGES = "{listed} listed, {featurized} featurized, {known} known before, {deleted} deleted"


@dataclass(frozen=True)
class ClusterSeen:
    """What was seen of a run's cluster: its states, and the seconds in which it was ready and ran no step."""

    states: Sequence[str]
    idle_seconds: float | None


def summarize(run: Mapping[str, Any], run_json: str, cluster: ClusterSeen, warning: str | None) -> str:
    """Return the summary of a published run, whose run.json is at ``run_json``."""
    counts = run["counts"]
    reasons = ", ".join(f"{status} {count}" for status, count in run["rejected"].items())
    seconds = ", ".join(f"{job} {value:.1f}" for job, value in run["seconds"].items())
    rows = {
        "images": IMAGES.format_map(counts),
        "rejected": f"{counts['rejected']}" + (f" ({reasons})" if reasons else ""),
        "components": f"K = {run['components']}, {run['variance_kept']:.1%} of the variance kept",
        "rows in the CSV": run["rows"],
        "weights": run["weights"],
        "seconds": seconds,
        "images/s": run["images_per_second"] or "–",
        "cluster": f"{run['cluster']['id']}: {' → '.join(cluster.states)}{_tell_idle(cluster.idle_seconds)}",
        "cost": describe_cost(run["cost"], run["estimate"]),
        "csv": run["csv"],
        "run.json": run_json,
        "report": f"{run_json.removesuffix('run.json')}report.html",
    }
    lines = [f"{name:<16} {value}" for name, value in rows.items()]
    return "\n".join([*lines, *([f"\nWARNING  {warning}"] if warning else [])])


def _tell_idle(seconds: float | None) -> str:
    return "" if seconds is None else f"; idle for {seconds:.1f} s, between Airflow's tasks"


def describe_cost(cost: Mapping[str, Any] | None, estimate: Mapping[str, Any] | None) -> str:
    """Say what the local EMR costs, and what the instances that it stands for would have."""
    if not cost or cost["dollars"] is None:
        return "nothing here; on AWS unknown"
    each, by = cost["per_1000_images"], f"{cost['region']}'s list prices of {cost['prices_of']}"
    per_1000 = "" if each is None else f" ({each:.4f} $ per 1,000 images)"
    known = estimate["dollars"] if estimate else None
    estimated = f"; estimated, with the start of a real cluster, {known:.2f} $" if known is not None else ""
    billed = f"{cost['dollars']:.4f} ${per_1000}"
    return f"nothing here; for as long on AWS {billed} by {by}{estimated}"
