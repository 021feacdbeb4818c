"""The charts, as Vega-Lite specifications. Pure.

Colours are CSS variables, so the charts follow the page's light or dark theme.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from orchard.report.facts import Basis
from orchard.report.formats import rounded, shorten
from orchard.report.numbers.spectrum import components_for

Spec = dict[str, Any]

VEGA_LITE = "6.4"
MARKS = (0.8, 0.9, 0.95)

LABELS = 30
"""Maximum number of labels in the bar chart."""

LONGEST_LABEL = 60

CONFIG: Spec = {
    "background": "transparent",
    # Named fonts: Vega cuts off text in a font that it cannot measure, such as "inherit".
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "titleFontWeight": "normal",
        "titleFontSize": 13,
        "labelFontSize": 12,
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "titlePadding": 10,
    },
    "text": {"color": "var(--ink)", "fontSize": 12},
}


def scatter(height: int = 520) -> Spec:
    """Points or pictures; the page's script fills in the data and the axis titles."""
    position = {
        "x": _component_axis("x"),
        "y": _component_axis("y"),
    }
    hover = {"tooltip": {"field": "i", "type": "nominal"}}
    return _chart(
        "Images by two components",
        height,
        {"values": []},
        layer=[
            {
                "transform": [{"filter": "!datum.url"}],
                "mark": {"type": "point", "filled": True, "aria": False, "strokeWidth": 0},
                "encoding": {
                    **position,
                    **hover,
                    "shape": {"field": "shape", "type": "nominal", "scale": None},
                    "fill": {"field": "fill", "type": "nominal", "scale": None},
                    "opacity": {"field": "opacity", "type": "quantitative", "scale": None},
                    "size": {"field": "size", "type": "quantitative", "scale": None},
                },
            },
            {
                "transform": [{"filter": "datum.url"}],
                "mark": {"type": "image", "width": 30, "height": 30, "aria": False},
                "encoding": {
                    **position,
                    **hover,
                    "url": {"field": "url", "type": "nominal"},
                    "opacity": {"field": "opacity", "type": "quantitative", "scale": None},
                },
            },
        ],
    )


def label_bars(counts: Mapping[str, int]) -> Spec:
    """Images per label, of the largest labels. Sorted by name, so that two runs can be compared."""
    largest = sorted(counts, key=lambda name: (-counts[name], name))[:LABELS]
    rows = [
        {"label": shorten(name or "(no label)", LONGEST_LABEL), "images": counts[name]}
        for name in sorted(largest)
    ]
    return _chart(
        f"Images of each of {len(rows)} labels",
        16 * len(rows) + 60,
        {"values": rows},
        mark={"type": "bar", "fill": "var(--accent)"},
        encoding={
            "y": {
                "field": "label",
                "type": "nominal",
                "title": None,
                "sort": None,
                "axis": {"ticks": False, "labelLimit": 140},
                "scale": {"paddingInner": 0.3},
            },
            "x": {
                "field": "images",
                "type": "quantitative",
                "title": "images",
                "axis": {"format": ",d", "tickMinStep": 1, "tickCount": 5},
            },
        },
    )


def variance_bars(basis: Basis, height: int = 240) -> Spec:
    """The explained variance ratio of each component, including some that are not kept."""
    kept = len(basis.ratio)
    ratio = basis.ratio if basis.spectrum is None else basis.spectrum[: max(2 * kept, 20)]
    rows = [
        {"k": place, "share": rounded(share), "is": "kept" if place <= kept else "left out"}
        for place, share in enumerate(ratio.tolist(), 1)
    ]
    return _chart(
        f"Variance that each component explains; the first {kept} are kept",
        height,
        {"values": rows},
        mark={"type": "bar"},
        encoding={
            "x": {
                "field": "k",
                "type": "ordinal",
                "title": "component",
                "axis": {"ticks": False, "labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 8},
                "scale": {"paddingInner": 0.12},
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "share of the variance",
                "axis": {"format": "~%", "tickCount": 5},
            },
            "fill": {
                "field": "is",
                "scale": {"domain": ["kept", "left out"], "range": ["var(--accent)", "var(--faint)"]},
                "legend": None,
            },
        },
    )


def variance_curve(basis: Basis, height: int = 240) -> Spec:
    """The cumulative explained variance ratio, with marks for the kept K and those of MARKS."""
    ratio = basis.ratio if basis.spectrum is None else basis.spectrum
    together = np.cumsum(ratio)
    kept = len(basis.ratio)
    marks = [(kept, f"K = {kept}", "kept")]
    marks += [(k, f"{share:.0%}: {k}", "mark") for share, k in marks_of(basis).items() if k and k != kept]
    last = min(len(ratio), max(round(max(k for k, _, _ in marks) * 1.25), 10))
    rows = [{"k": k, "share": rounded(together[k - 1])} for k in range(1, last + 1)]
    points: list[Spec] = [
        {"k": k, "share": rounded(together[k - 1]), "text": text, "is": kind} for k, text, kind in marks
    ]
    position = {
        "x": {
            "field": "k",
            "type": "quantitative",
            "title": "components kept",
            "axis": {"grid": False, "tickMinStep": 1, "tickCount": 6, "format": "d"},
            "scale": {"domain": [0, last]},
        },
        "y": {
            "field": "share",
            "type": "quantitative",
            "title": "variance explained together",
            "axis": {"format": "~%", "tickCount": 5},
            "scale": {"domain": [0, 1]},
        },
    }
    fill = {
        "field": "is",
        "scale": {"domain": ["kept", "mark"], "range": ["var(--accent)", "var(--soft)"]},
        "legend": None,
    }
    return _chart(
        f"Variance explained by the first K components; {kept} are kept",
        height,
        {"values": rows},
        encoding=position,
        layer=[
            {"mark": {"type": "line", "stroke": "var(--soft)", "strokeWidth": 2}},
            {
                "data": {"values": points},
                "mark": {"type": "point", "size": 70, "opacity": 1, "strokeWidth": 0},
                "encoding": {"fill": fill},
            },
            *(
                {
                    "data": {"values": [point for point in points if (point["k"] > last / 2) is at_right]},
                    # Below the curve, and inside the chart.
                    "mark": {"type": "text", "fontWeight": "bold", **where},
                    "encoding": {"text": {"field": "text"}, "fill": fill},
                }
                for at_right, where in (
                    (False, {"align": "left", "dx": 8, "dy": 12}),
                    (True, {"align": "right", "dx": 6, "dy": 18}),
                )
                if any((point["k"] > last / 2) is at_right for point in points)
            ),
        ],
    )


def marks_of(basis: Basis) -> dict[float, int | None]:
    """Return the K for each of MARKS; None if the basis does not reach it."""
    ratio = basis.ratio if basis.spectrum is None else basis.spectrum
    return {share: components_for(ratio, share) for share in MARKS}


def _chart(description: str, height: int, data: Spec, **more: Any) -> Spec:
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE}.json",
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": data,
        "config": CONFIG,
        **more,
    }


def _component_axis(field: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, "padding": 16},
        "axis": {"tickCount": 6, "domain": False, "ticks": False},
    }
