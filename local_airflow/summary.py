"""The summary at the end of a demo: run.json as text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IMAGES = "{listed} listed, {featurized} featurized, {known} known before, {deleted} deleted"


@dataclass(frozen=True)
class ClusterSeen:
    """The observed states of a run's cluster, and the seconds for which it was ready but ran no step."""

    states: Sequence[str]
    idle_seconds: float | None


def summarize(run: Mapping[str, Any], run_json: str, cluster: ClusterSeen, warning: str | None) -> str:
    """Return the summary of a published run.

    Args:
        run: Content of its run.json.
        run_json: URI of its run.json.
    """
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
        "cluster": f"{run['cluster']['id']}: {' → '.join(cluster.states)}{_format_idle(cluster)}",
        "cost": describe_cost(run["cost"], run["estimate"]),
        "csv": run["csv"],
        "run.json": run_json,
        "report": f"{run_json.removesuffix('run.json')}report.html",
    }
    lines = [f"{name:<16} {value}" for name, value in rows.items()]
    return "\n".join([*lines, *([f"\nWARNING  {warning}"] if warning else [])])


def _format_idle(cluster: ClusterSeen) -> str:
    seconds = cluster.idle_seconds
    return "" if seconds is None else f"; idle for {seconds:.1f} s, between Airflow's tasks"


def describe_cost(cost: Mapping[str, Any] | None, estimate: Mapping[str, Any] | None) -> str:
    """Describe what the same instances would have cost on AWS; the local EMR costs nothing."""
    if not cost or cost["dollars"] is None:
        return "nothing locally; unknown on AWS"
    each, by = cost["per_1000_images"], f"{cost['region']}'s list prices of {cost['prices_of']}"
    per_1000 = "" if each is None else f" ({each:.4f} $ per 1,000 images)"
    known = estimate["dollars"] if estimate else None
    estimated = f"; {known:.2f} $ with the start of a real cluster" if known is not None else ""
    billed = f"{cost['dollars']:.4f} ${per_1000}"
    return f"nothing locally; the same time on AWS: {billed} at {by}{estimated}"
