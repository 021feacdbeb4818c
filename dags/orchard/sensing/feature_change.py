"""What a run would replace: results of these images whose features were computed in another way."""

from dataclasses import fields

from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.report.formats import duration
from orchard.settings.feature_spec import FeatureSpec

LOOKED_AT = 5
"""Runs, of which the fastest says what this machine does: those of a few images are slow."""


def describe_change(index: RunIndex, images: str, spec: FeatureSpec) -> str | None:
    """Return what differs from the newest results of ``images``, and what that costs; None for nothing."""
    newest = next((run for run in reversed(index.runs) if run.images == images), None)
    if newest is None or spec == newest.spec:
        return None
    changes = [
        f"{field.name.replace('_', ' ')} {before} → {now}"
        for field in fields(spec)
        if (before := getattr(newest.spec, field.name)) != (now := getattr(spec, field.name))
    ]
    text = f"The newest results of these images are of other features: {', '.join(changes)}."
    known = index.builds_on(images, spec)
    if known is not None:
        return f"{text} This run continues {known}, and its results become the newest."
    return f"{text} {_cost(index, newest)}"


def _cost(index: RunIndex, newest: PublishedRun) -> str:
    """Say how many images are computed again, and how long that takes at the best rate of late."""
    listed = (index.describe(newest.run).get("counts") or {}).get("listed")
    if not listed:
        return "All images are computed again."
    rates = [index.describe(name).get("images_per_second") or 0 for name in index.names[:LOOKED_AT]]
    time = f", in about {duration(listed / max(rates))} at {max(rates):,.0f} images/s" if max(rates) else ""
    return f"All {listed:,} images are computed again{time}."
