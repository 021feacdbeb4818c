"""The summary at the end of a demo. Pure: what run.json says, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

IMAGES = "{listed} listed, {featurized} featurized, {known} known before, {deleted} deleted"


def summarize(
    run: Mapping[str, Any], run_json: str, cluster_states: Sequence[str], warning: str | None
) -> str:
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
        "images/s": run["images_per_second"],
        "cluster": f"{run['cluster']['id']}: {' → '.join(cluster_states)}",
        "csv": run["csv"],
        "run.json": run_json,
        "report": f"{run_json.removesuffix('run.json')}report.html",
    }
    lines = [f"{name:<16} {value}" for name, value in rows.items()]
    return "\n".join([*lines, *([f"\nWARNING  {warning}"] if warning else [])])
