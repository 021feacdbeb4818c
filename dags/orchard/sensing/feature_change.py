"""Detect that a run would replace results whose features were computed differently."""

from dataclasses import fields

from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.report.formats import duration
from orchard.settings.feature_spec import FeatureSpec

LOOKED_AT = 5
"""Runs to consider: the fastest one is representative, because runs of few images are slow."""


def describe_change(index: RunIndex, images: str, spec: FeatureSpec) -> str | None:
    """Return how ``spec`` differs from the newest results of ``images``, and the cost; else None."""
    newest = next((run for run in reversed(index.runs) if run.images == images), None)
    if newest is None or spec == newest.spec:
        return None
    changes = [
        f"{field.name.replace('_', ' ')} {before} → {now}"
        for field in fields(spec)
        if (before := getattr(newest.spec, field.name)) != (now := getattr(spec, field.name))
    ]
    text = f"The newest results of these images have different features: {', '.join(changes)}."
    known = index.builds_on(images, spec)
    if known is not None:
        return f"{text} This run builds on {known}, and its results become the newest."
    return f"{text} {_cost(index, newest)}"


def _cost(index: RunIndex, newest: PublishedRun) -> str:
    """Return how many images are computed again, and the time at the best recent rate."""
    listed = (index.describe(newest.run).get("counts") or {}).get("listed")
    if not listed:
        return "All images are computed again."
    rates = [index.describe(name).get("images_per_second") or 0 for name in index.names[:LOOKED_AT]]
    time = f", in about {duration(listed / max(rates))} at {max(rates):,.0f} images/s" if max(rates) else ""
    return f"All {listed:,} images are computed again{time}."
