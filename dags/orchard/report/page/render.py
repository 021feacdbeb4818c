"""Render the facts as one self-contained HTML file.

Jinja escapes every name; the scripts' data is JSON without characters that are special in HTML. The page's
own policy (https://www.w3.org/TR/CSP3/) allows only its own scripts, by hash.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from orchard.report import formats
from orchard.report.facts import COMPONENTS, FEW_LABELS, STEADY, Facts
from orchard.report.page import charts, tables
from orchard.report.page.points import points
from orchard.report.page.styles import SWATCHES
from orchard.report.page.thumbnail_uris import to_uri
from orchard.report.run_figures import is_local, noise

HERE = Path(__file__).parents[1] / "assets"

LARGEST = 4_900_000
"""Maximum bytes of a page; thumbnails are left out to stay below it."""

IN_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Escapes, in JSON strings, for what could end a script element or a line of JavaScript."""


def render(facts: Facts) -> str:
    """Return the page, of at most LARGEST bytes; deterministic."""
    data = points(facts, COMPONENTS, LARGEST)
    page = _render(facts, data)
    over = len(page.encode()) - LARGEST
    if over <= 0:
        return page
    room = sum(map(len, data["thumbnails"])) - over
    return _render(facts, points(facts, COMPONENTS, max(0, room)))


def _render(facts: Facts, data: Mapping[str, Any]) -> str:
    style, script = ((HERE / name).read_text("utf-8") for name in ("style.css", "script.js"))
    vega = vega_bundle()
    page: str = (
        _environment()
        .get_template("page.html")
        .render(
            facts=facts,
            run=facts.run,
            counts=facts.run["counts"],
            policy=policy([vega, script], style),
            style=Markup(style),  # noqa: S704 - our own
            scripts=[Markup(vega), Markup(script)],  # noqa: S704 - our own and the library's
            points=to_script(data),
            specs=to_script(
                {
                    "scatter": charts.scatter(),
                    "bars": charts.variance_bars(facts.basis),
                    "curve": charts.variance_curve(facts.basis),
                    "counts": charts.label_bars(facts.label_counts),
                }
            ),
            data=data,
            steady=STEADY,
            one_of_each=len(facts.sample.names) > FEW_LABELS,
            swatches=SWATCHES,
            most_bars=charts.LABELS,
            marks=charts.marks_of(facts.basis),
            warning=noise(facts.run),
            local=is_local(facts.run),
            labels=tables.label_rows(facts),
            right=tables.share_right(facts),
            confusions=tables.confusions(facts),
            components=tables.component_rows(facts),
            spans=tables.timeline(facts),
            without_thumbnail=sum(not text for text in data["thumbnails"]),
        )
    )
    return page


def to_script(content: Mapping[str, Any]) -> Markup:
    """Return JSON to embed in a script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(IN_SCRIPT))  # noqa: S704 - contains no markup any more


def policy(scripts: list[str], style: str) -> str:
    """Return a Content-Security-Policy that allows these scripts, this style and inline images."""
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def vega_bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script of 0.9 MB, from the package, without a network.

    The bundle is a module, which would run after the page's script: the wrapper makes it a plain script.
    """
    bundle: str = vl_convert.javascript_bundle(vl_version=charts.VEGA_LITE)  # type: ignore[call-arg]  # has a default
    assert "</script" not in bundle  # noqa: S101 - it would end the script element
    return f"(() => {{{bundle}}})();"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": formats.count,
        "percent": formats.percent,
        "duration": formats.duration,
        "moment": formats.moment,
        "plural": formats.plural,
        "cost": formats.cost,
        "shorten": formats.shorten,
        "uri": to_uri,
    }
    return environment
